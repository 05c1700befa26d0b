"""Several engines, one overlay network: who is on it is told to the peers, theirs is learnt from them.

The theory: peers are static. Each engine has a part of every overlay's addresses, by its place among
the sorted addresses of all, so that no two leases meet without a word. Each tells every other one, over
a TCP connection of its own, who of its containers is on which overlay: all of it, at every change and
every BEAT seconds; what a peer has said holds for HOLD seconds. A line is authenticated by the shared
key (HMAC-SHA256) and carries a number that only grows, so that an old one cannot be said again.
Packets go by VXLAN (RFC 7348) between the hosts; they are not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import trio

from engine.errors import EngineError
from networking.dns.zone import Member
from networking.ipam import AddressError, parse_subnet

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.networks.model import IpamConfig
    from engine.networks.naming import Names
    from networking.ipam import Block

PORT = 7947
BEAT, HOLD, PATIENCE = 2.0, 60.0, 5.0
#: Bytes of a line: some thousand containers.
LIMIT = 1 << 21


@dataclass(frozen=True, slots=True)
class Underlay:
    """This engine's address for its peers, theirs, and the key that all of them have."""

    address: str
    peers: tuple[str, ...]
    key: bytes

    @property
    def place(self) -> int:
        """This engine's number among all."""
        everyone = sorted({self.address, *self.peers}, key=lambda a: (":" in a, ip_address(a)))
        return everyone.index(self.address)

    @property
    def size(self) -> int:
        """How many engines there are."""
        return len({self.address, *self.peers})


def read_underlay(address: str, peers: list[str], key: str) -> Underlay | None:
    """From the engine's options; None where no peers are named. Raises EngineError."""
    if not address and not peers:
        return None
    if not (address and peers and key):
        raise EngineError(
            "overlay networks need an address, peers and a key",
            hint="give --cluster-address, --cluster-peer and PYCOMPOSE_CLUSTER_KEY",
        )
    try:
        found = Underlay(
            str(ip_address(address)), tuple(str(ip_address(p)) for p in peers), key.encode()
        )
    except ValueError as error:
        raise EngineError(f"invalid cluster address: {error}") from error
    if found.address in found.peers:
        raise EngineError(f"{found.address} is this engine's own address: name the others as peers")
    return found


def own_part(config: IpamConfig, underlay: Underlay) -> IpamConfig:
    """A subnet's part that this engine gives addresses from, with a gateway of its own in it.

    An explicit range is left as it is. Raises AddressError if the subnet is too small for all.
    """
    if config.ip_range:
        return config
    block: Block = parse_subnet(config.subnet)
    bits = max(underlay.size - 1, 0).bit_length()
    if block.prefixlen + bits > block.max_prefixlen - 2:
        raise AddressError(f"{block} is too small for {underlay.size} engines")
    size = 1 << (block.max_prefixlen - block.prefixlen - bits)
    first = block.network_address + underlay.place * size
    part = f"{first}/{block.prefixlen + bits}"
    return replace(config, ip_range=part, gateway=config.gateway or str(first + 1))


def vxlan_id_of(name: str) -> int:
    """The VXLAN network id of an overlay that names none: the same on every engine."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
    return 4096 + number % ((1 << 24) - 4096)


def sign(key: bytes, document: dict[str, Any]) -> bytes:
    """A line: the signature, a blank, the document."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode() + b" " + body + b"\n"


def verify(key: bytes, line: bytes) -> dict[str, Any] | None:
    """The document of a line that a peer has signed; None for anything else."""
    signature, _, body = line.rstrip(b"\n").partition(b" ")
    wanted = hmac.new(key, body, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(signature, wanted):
        return None
    document = json.loads(body)
    return document if isinstance(document, dict) else None


def read_said(document: dict[str, Any]) -> tuple[int, list[Member]]:
    """The number and the members that a peer tells. Raises ValueError for what has another shape."""
    try:
        return int(document["number"]), [Member.from_json(one) for one in document["members"]]
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"a peer of another version: {error!r}") from error


class Cluster:
    """The conversation with the peers."""

    def __init__(self, underlay: Underlay, names: Names, networks: Callable[[], set[str]]) -> None:
        self.underlay = underlay
        self._names = names
        self._networks = networks
        self._changed = trio.Event()
        self._heard: dict[str, float] = {}
        self._said: dict[str, list[Member]] = {}  # of all overlays, ours or not
        self._numbers: dict[str, int] = {}
        self._listeners: list[trio.SocketListener] = []

    def change(self) -> None:
        """Who is on an overlay has changed: tell the peers."""
        self._changed.set()
        self._changed = trio.Event()

    async def open(self) -> None:
        """Listen. Raises EngineError if the address cannot be bound."""
        try:
            self._listeners = await trio.open_tcp_listeners(PORT, host=self.underlay.address)
        except OSError as error:
            raise EngineError(
                f"cannot listen for peers at {self.underlay.address}:{PORT}: {error.strerror}",
                hint="--cluster-address must be an address of this host",
            ) from error

    async def run(self) -> None:
        """Talk and listen until cancelled, once it is open."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._listen, self._listeners)
            nursery.start_soon(self._forget_the_silent)
            for peer in self.underlay.peers:
                nursery.start_soon(self._talk_to, peer)

    async def _talk_to(self, peer: str) -> None:
        while True:
            try:
                with trio.fail_after(PATIENCE):
                    stream = await trio.open_tcp_stream(
                        peer, PORT, local_address=self.underlay.address
                    )
                async with stream:
                    await self._tell(stream)
            except (OSError, trio.TooSlowError, trio.BrokenResourceError):
                await trio.sleep(BEAT / 4)

    async def _tell(self, stream: trio.SocketStream) -> None:
        while True:
            changed = self._changed
            document = {
                "number": time.time_ns(),
                "members": [m.to_json() for m in self._names.local_members(self._networks())],
            }
            with trio.fail_after(PATIENCE):
                await stream.send_all(sign(self.underlay.key, document))
            with trio.move_on_after(BEAT):
                await changed.wait()

    async def _listen(self, stream: trio.SocketStream) -> None:
        peer = str(stream.socket.getpeername()[0])
        if peer not in self.underlay.peers:
            return
        waiting = bytearray()
        try:
            while chunk := await stream.receive_some(1 << 16):
                waiting += chunk
                *lines, rest = waiting.split(b"\n")
                waiting = bytearray(rest)
                for line in lines:
                    await self._hear(peer, bytes(line))
                if len(waiting) > LIMIT:
                    return
        except (trio.BrokenResourceError, ValueError):
            return  # it went away, or talks nonsense: it will connect again

    async def _hear(self, peer: str, line: bytes) -> None:
        document = verify(self.underlay.key, line)
        if document is None:
            return
        number, members = read_said(document)
        if number <= self._numbers.get(peer, 0):
            return
        self._numbers[peer] = number
        self._heard[peer] = trio.current_time()
        self._said[peer] = members
        await self._learn(peer)

    async def networks_changed(self) -> None:
        """An overlay has come to this engine, or gone: who is on it elsewhere is known already."""
        for peer in tuple(self._said):
            await self._learn(peer)

    async def _learn(self, peer: str) -> None:
        known = self._networks()
        members = [m for m in self._said.get(peer, ()) if m.network in known]
        await self._names.set_remote(peer, members)

    async def _forget_the_silent(self) -> None:
        while True:
            await trio.sleep(BEAT)
            for peer, heard in list(self._heard.items()):
                if trio.current_time() - heard > HOLD:
                    del self._heard[peer]
                    self._said.pop(peer, None)
                    await self._learn(peer)
