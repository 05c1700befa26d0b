"""Published ports: held, and carried by the kernel where it can and by the relay where it cannot.

A container's ports are published on the endpoint that its default route goes by. `through_input`: the
host's INPUT policy governs them (ufw, firewalld), at the price of the relay in between.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.errors import EngineError, InvalidRequestError
from engine.networks.model import Endpoint, PortBinding
from engine.networks.orders import port_orders, relayed
from engine.networks.ports import ANYWHERE4, PortHolder, host_addresses, key_of
from networking.resident.client import ResidentError

if TYPE_CHECKING:
    from engine.networks.model import PortRequest, Sandbox
    from engine.networks.records import Entry
    from networking.linux.client import NetworkWorker
    from networking.relay.client import Relay


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """The engine's choices: where ports without a host address go, and which hook governs them."""

    address: str = ANYWHERE4
    through_input: bool = False


class Publisher:
    """The published ports of an engine."""

    def __init__(self, worker: NetworkWorker, relay: Relay, policy: PublishPolicy) -> None:
        self._worker = worker
        self._relay = relay
        self._policy = policy
        self._holder = PortHolder()

    @property
    def address(self) -> str:
        """Where ports without a host address of their own go."""
        return self._policy.address

    async def publish(self, entry: Entry, endpoint: Endpoint, sandbox: Sandbox) -> Endpoint:
        """Publish what a container asks for: all or nothing. Raises PortTakenError, EngineError."""
        bindings: list[PortBinding] = []
        try:
            for request in sandbox.ports:
                bindings += self._take(entry, request, owner_of(sandbox))
            published = replace(endpoint, ports=tuple(bindings))
            await self.carry(entry, published)
        except BaseException:
            for binding in bindings:
                self._holder.release(binding)
            raise
        return published

    async def carry(self, entry: Entry, endpoint: Endpoint) -> None:
        """Let the packets of ports that are held come. Undone if it fails. Raises EngineError."""
        orders = port_orders(endpoint, entry.options, through_input=self._policy.through_input)
        if orders:
            await self._worker.perform("ports", ports=orders, delete=False)
        try:
            for binding in endpoint.ports:
                await self._relay_one(entry, endpoint, binding)
        except BaseException as error:
            await self.halt(entry, endpoint)
            if isinstance(error, ResidentError):
                raise EngineError(f"cannot publish a port: {error}") from error
            raise

    async def halt(self, entry: Entry, endpoint: Endpoint) -> None:
        """No packets come any more; the ports are held still. Idempotent."""
        orders = port_orders(endpoint, entry.options, through_input=self._policy.through_input)
        if orders:
            await self._worker.perform("ports", ports=orders, delete=True)
        for binding in endpoint.ports:
            if self._is_relayed(entry, endpoint, binding):
                await self._relay.close(key_of(binding))

    async def withdraw(self, entry: Entry, endpoint: Endpoint) -> None:
        """The ports are free for others. Idempotent."""
        if endpoint.ports:
            await self.halt(entry, endpoint)
            for binding in endpoint.ports:
                self._holder.release(binding)

    async def adopt(self, entry: Entry, endpoint: Endpoint, carried: set[str]) -> None:
        """Hold again what an earlier engine had published. `carried` are the relay's ports."""
        for binding in endpoint.ports:
            if binding.host_port:
                self._holder.adopt(binding, f"container {endpoint.container_name}")
                if key_of(binding) not in carried:
                    await self._relay_one(entry, endpoint, binding)

    async def carried(self) -> set[str]:
        """The ports that a relay carries, of this engine or an earlier one."""
        return set(await self._relay.ports())

    def orders(self, entry: Entry, endpoint: Endpoint) -> list[list[object]]:
        """What the rules have to know of an endpoint's ports."""
        return port_orders(endpoint, entry.options, through_input=self._policy.through_input)

    async def keep(self, entries: list[tuple[Entry, Endpoint]]) -> None:
        """Drop what the relay carries but for these endpoints' ports."""
        keys = [
            key_of(binding)
            for entry, endpoint in entries
            for binding in endpoint.ports
            if self._is_relayed(entry, endpoint, binding)
        ]
        await self._relay.keep(keys)

    async def stop(self) -> None:
        """The relay ends."""
        await self._relay.stop()

    def _take(self, entry: Entry, request: PortRequest, owner: str) -> tuple[PortBinding, ...]:
        usual = entry.options.host_binding or self._policy.address
        try:
            hosts = host_addresses(request.host_ip, usual)
        except ValueError as error:
            raise InvalidRequestError(f"invalid host address {request.host_ip!r}") from error
        routed = [
            host for host in hosts
            if entry.options.gateway_mode(6 if ":" in host else 4) == "routed"
        ]  # fmt: skip
        bound = [host for host in hosts if host not in routed]
        found = self._holder.take(request, bound, owner) if bound else ()
        return (
            *found,
            *(PortBinding(request.container_port, request.protocol, host, 0) for host in routed),
        )

    def _is_relayed(self, entry: Entry, endpoint: Endpoint, binding: PortBinding) -> bool:
        return bool(self._relay_order(entry, endpoint, binding))

    def _relay_order(
        self, entry: Entry, endpoint: Endpoint, binding: PortBinding
    ) -> tuple[str, int] | None:
        order = relayed(endpoint, entry.options, binding, through_input=self._policy.through_input)
        return (order[1], order[2]) if order else None

    async def _relay_one(self, entry: Entry, endpoint: Endpoint, binding: PortBinding) -> None:
        order = self._relay_order(entry, endpoint, binding)
        listener = self._holder.socket_of(binding)
        if order is None or listener is None:
            return
        copy = os.dup(listener.fileno())
        try:
            await self._relay.open(key_of(binding), copy, *order)
        finally:
            os.close(copy)


def owner_of(sandbox: Sandbox) -> str:
    """Whose a port is, for whoever finds it taken."""
    project = f" of project {sandbox.project}" if sandbox.project else ""
    return f"container {sandbox.name}{project}"
