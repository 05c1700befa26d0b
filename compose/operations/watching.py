"""Waiting for a container to become something, woken by the engine's events instead of a clock.

One stream of events serves all waits of a command. Each wait inspects, and inspects again when an
event names its container; every few seconds it looks anyway, in case an engine lost the stream.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from compose.engine_client import calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.status import unix_text
from compose.errors import ComposeError, EngineRefusedError, EngineUnreachableError

if TYPE_CHECKING:
    from compose.engine_client.transport import Engine
    from compose.planner.steps import Condition

LOOK_ANYWAY = 3.0
#: Seconds that a container without a health check must have run: what dies at once has never been up.
SETTLED = 0.5
NOT_FOUND = 404
EVENTS = ["start", "die", "destroy", "health_status", "pause", "unpause"]


class WaitFailedError(ComposeError):
    """A container became what it must not become: which one, where that is known."""

    def __init__(self, message: str, *, ref: str = "", container: str = "") -> None:
        super().__init__(message)
        self.ref = ref
        self.container = container


class UpdateFailedError(WaitFailedError):
    """More of an update's containers failed than it tolerates; with `rollback` it is to be taken back."""

    def __init__(self, message: str, *, service: str, rollback: bool) -> None:
        super().__init__(message)
        self.service = service
        self.rollback = rollback


class ContainerWatch:
    """The events of a project's containers; `listen` must run in a nursery for as long as it waits."""

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._project = project
        self._wakers: dict[str, trio.Event] = {}

    async def listen(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Wake who waits for a container at each of its events, until cancelled."""
        wanted = {
            "type": ["container"],
            "event": EVENTS,
            "label": calls.project_filter(self._project),
        }
        started = False
        while True:
            try:
                async with self._engine.stream(calls.stream_events(wanted)) as body:
                    if not started:
                        task_status.started()
                        started = True
                    stream = JsonStream()
                    async for piece in body:
                        for event in stream.feed(piece):
                            self._wake((event.get("Actor") or {}).get("ID", ""))
            except (EngineUnreachableError, EngineRefusedError):
                if not started:
                    raise
            # The engine went away or restarted: containers may have changed unseen.
            for ref in list(self._wakers):
                self._wake(ref)
            await trio.sleep(0.2)

    def _wake(self, container_id: str) -> None:
        waker = self._wakers.pop(container_id, None)
        if waker is not None:
            waker.set()

    async def wait_until(self, ref: str, condition: Condition, name: str) -> int:
        """Wait; returns the exit code for "completed", else 0. Raises WaitFailedError."""
        while True:
            # The waker is in place before anything is looked at, so that no event falls in between.
            waker = self._wakers.setdefault(ref, trio.Event())
            found = await self._inspect(ref, name)
            code = judge(found, condition, name)
            left = 0.0 if code is None else unsettled(found, condition, time.time())
            if code is not None and not left:
                return code
            if found["Id"] != ref:  # it was asked for by name: events have ids
                ref = found["Id"]
                continue
            with trio.move_on_after(left or LOOK_ANYWAY):
                await waker.wait()

    async def wait_failure(self, ref: str, name: str) -> None:
        """Wait until a new container that is up ends, restarts or turns unhealthy: WaitFailedError."""
        while True:
            waker = self._wakers.setdefault(ref, trio.Event())
            found = await self._inspect(ref, name)
            judge(found, "running_or_healthy", name)
            state = found.get("State") or {}
            if state.get("Restarting") or found.get("RestartCount"):
                text = f"container {name} exited ({state.get('ExitCode') or 0}) and is restarted"
                raise WaitFailedError(text, ref=ref, container=name)
            with trio.move_on_after(LOOK_ANYWAY):
                await waker.wait()

    async def _inspect(self, ref: str, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = (await self._engine.do(calls.inspect_container(ref))).json()
        except EngineRefusedError as error:
            if error.status != NOT_FOUND:
                raise
            text = f"container {name} was removed while it was waited for"
            raise WaitFailedError(text, container=name) from error
        return found


def judge(inspected: dict[str, Any], condition: Condition, name: str) -> int | None:
    """None: not yet; else it is met, with the exit code. Raises WaitFailedError. Pure."""
    state, ref = inspected.get("State") or {}, str(inspected.get("Id", ""))
    status, code = state.get("Status", ""), int(state.get("ExitCode") or 0)
    if condition == "completed":
        return code if status in ("exited", "dead") else None
    if status in ("exited", "dead"):
        raise WaitFailedError(f"container {name} exited ({code})", ref=ref, container=name)
    health = state.get("Health") or {}
    if condition == "running_or_healthy" and not has_check(inspected):
        return 0 if status == "running" else None
    if not health:
        if not has_check(inspected) and status == "running":
            text = f"container {name} has no healthcheck configured"
            raise WaitFailedError(text, container=name)
        return None
    if health.get("Status") == "unhealthy":
        raise WaitFailedError(f"container {name} is unhealthy", ref=ref, container=name)
    return 0 if health.get("Status") == "healthy" else None


def unsettled(inspected: dict[str, Any], condition: Condition, now: float) -> float:
    """The seconds that it must still run before it counts as up. Pure."""
    if condition != "running_or_healthy" or has_check(inspected):
        return 0.0
    started = unix_text((inspected.get("State") or {}).get("StartedAt") or "")
    try:
        age = now - float(started)
    except ValueError:
        return 0.0
    return SETTLED - age if 0 <= age < SETTLED else 0.0


def has_check(inspected: dict[str, Any]) -> bool:
    """Whether the container has a health check that is not switched off."""
    test = ((inspected.get("Config") or {}).get("Healthcheck") or {}).get("Test") or []
    return bool(test) and test[0] != "NONE"
