"""Running containers watched: their end settled, restarts decided, health probed, waiters told.

The theory: a running container has a Live and a Bell. Its watcher waits for the monitor's word, takes
the network away, settles the state, rings the bell, and starts it again where the policy says so.
Everything here happens in the engine's nursery; nothing outlives the engine but the monitors.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import trio

from engine.containers import health, restart
from engine.containers.live import Bell, Live, Wish
from engine.containers.model import Health, State
from engine.containers.probing import at_end, check_health
from engine.containers.signals import parse_signal, takes_notice
from engine.errors import ConflictError, EngineError, HostLimitError, NotFoundError
from engine.processes.client import ExitRecord, StartError, read_exit
from engine.runtime.cgroups import tree
from engine.runtime.launch import reap
from engine.runtime.spec import lasting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.containers.execs import Execs
    from engine.containers.launching import Launched, Launcher
    from engine.containers.model import Container
    from engine.containers.registry import Registry
    from engine.containers.rooms import Publish
    from engine.containers.volume_use import VolumeUse
    from engine.networks.service import Networks
    from engine.processes.attachment import Attachment
    from engine.processes.client import Monitor
    from engine.runtime.spec import ContainerSpec

DEFAULT_GRACE = 10
#: Seconds after SIGKILL in which a process must be gone.
KILL_PATIENCE = 10.0
#: A start that failed before the program's turn: the fork server's code for it, and the state's (Docker's).
ENGINES, UNSTARTED = 125, 128


class Supervisor:
    """The running containers of one engine."""

    def __init__(
        self,
        registry: Registry,
        execs: Execs,
        networks: Networks,
        launcher: Launcher,
        volumes: VolumeUse,
        nursery: trio.Nursery,
        publish: Publish,
        remove: Callable[[str], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._execs = execs
        self._live = execs.handles
        self._networks = networks
        self._launcher = launcher
        self._volumes = volumes
        self._nursery = nursery
        self._publish = publish
        self._remove = remove
        self._locks: dict[str, trio.Lock] = {}
        self._ends: dict[str, Bell] = {}
        self._removals: dict[str, Bell] = {}
        self._pauses: dict[str, trio.CancelScope] = {}  # before a restart
        self._delays: dict[str, float] = {}
        self._entangled: set[str] = set()  # still on their networks, though they have ended
        self._wishes: dict[str, list[Wish]] = {}

    def lock(self, container_id: str) -> trio.Lock:
        """Verbs on one container take turns."""
        return self._locks.setdefault(container_id, trio.Lock())

    def next_end(self, container_id: str) -> Bell:
        """Rings at the next end of the container's process."""
        return self._ends.setdefault(container_id, Bell())

    def removal(self, container_id: str) -> Bell:
        """Rings when the container is removed."""
        return self._removals.setdefault(container_id, Bell())

    async def launch(self, container: Container, *, by_user: bool = True) -> None:
        """Start the program and watch it. The state tells of a failure. Raises StartError, ..."""
        await self.tidy(container.id)
        try:
            async with self._volumes.held(container):
                launched = await self._launcher.launch(
                    container, partial(self._attach_waiting, container.id)
                )
                container = self._settle_start(container, launched, by_user=by_user)
        except EngineError as error:
            self._settle_failure(container, error)
            raise
        except OSError as error:  # no room for its files
            words = f"cannot start: {error.strerror}: {error.filename or ''}".rstrip(": ")
            refused = HostLimitError(words)
            self._settle_failure(container, refused)
            raise refused from error
        self._publish(container, "start", {})
        self._volumes.tell_mounted(container)
        self.take(container, launched.monitor, launched.spec)

    def _settle_start(
        self, container: Container, launched: Launched, *, by_user: bool
    ) -> Container:
        if by_user:
            self._delays.pop(container.id, None)
        state = State(
            status="running", pid=launched.monitor.pid, start_time=launched.monitor.start_time,
            started_ns=launched.started_ns,
            finished_ns=container.state.finished_ns, health=self.first_health(container),
        )  # fmt: skip
        return self._registry.change(
            container.id, state=state, restart_count=0 if by_user else container.restart_count + 1
        )

    def _settle_failure(self, container: Container, error: EngineError) -> None:
        code = error.exit_code if isinstance(error, StartError) else UNSTARTED
        code = UNSTARTED if code == ENGINES else code
        self._registry.set_state(
            container.id, status="created" if not container.state.started_ns else "exited",
            exit_code=code, error=str(error), finished_ns=time.time_ns(),
        )  # fmt: skip
        self._disappoint(container.id)
        self._ends.pop(container.id, Bell()).ring(code)
        if container.host_config.auto_remove:
            self._nursery.start_soon(self._remove, container.id)

    def take(self, container: Container, monitor: Monitor, spec: ContainerSpec) -> None:
        """Watch a running process, just started or adopted."""
        live = Live(monitor, lasting(spec), trio.CancelScope())
        self._live[container.id] = live
        self._nursery.start_soon(self._watch, container.id, live)
        if health.probe_command(container.config):
            self._nursery.start_soon(
                check_health, container.id, live, self._registry, self._execs, self._health_changed
            )

    async def _health_changed(self, container: Container) -> None:
        status = container.state.health.status if container.state.health else "none"
        self._publish(container, f"health_status: {status}", {})
        await self._networks.set_answering(container.id, answering=status != "unhealthy")

    async def join_streams(self, container_id: str, wants: dict[str, bool]) -> Attachment | None:
        """Take part in a container's streams, from its next start if it does not run.

        None if it was removed before that.
        """
        live = self._live.get(container_id)
        if live is not None:
            return await live.monitor.attach(**wants)
        wish = Wish(wants)
        self._wishes.setdefault(container_id, []).append(wish)
        await wish.granted.wait()
        return wish.attachment

    async def wait_recorded(self, container_id: str) -> None:
        """Until the end of a process that has ended is settled; at once where it has not ended."""
        live = self._live.get(container_id)
        if live is not None and read_exit(live.monitor.run_dir):
            await self.next_end(container_id).wait()

    async def _attach_waiting(self, container_id: str, monitor: Monitor) -> None:
        for wish in self._wishes.pop(container_id, []):
            wish.attachment = await monitor.attach(**wish.wants)
            wish.granted.set()

    def _disappoint(self, container_id: str) -> None:
        """There will be no streams: whoever waits for them hears so."""
        for wish in self._wishes.pop(container_id, []):
            wish.granted.set()

    async def stop(self, container: Container, timeout: int | None, signal: str) -> None:
        """End the process: the stop signal, the grace period, SIGKILL. Returns when it has ended.

        A PID 1 that does nothing about the signal is not waited for (see signals.takes_notice).
        """
        live = self._live.of(container.id)
        bell = self.next_end(container.id)
        number = parse_signal(signal or container.config.stop_signal or "TERM")
        grace: float = DEFAULT_GRACE
        if timeout is not None or container.config.stop_timeout is not None:
            grace = timeout if timeout is not None else container.config.stop_timeout or 0
        self._registry.set_state(container.id, stopped_by_user=True)
        if container.state.status == "paused":
            try:
                await self.freeze(container.id, frozen=False)
            except ConflictError:
                pass  # it has just ended, which is what we want
        own_pids = any(n.kind == "pid" and not n.path for n in live.spec.namespaces)
        hopeless = own_pids and not live.spec.init and not takes_notice(live.monitor.pid, number)
        if not hopeless and grace != 0:
            self.signal(live, number)
            self._publish(container, "kill", {"signal": str(number)})
            with trio.move_on_after(grace if grace > 0 else float("inf")):
                await bell.wait()
        if not bell.rung.is_set():
            await self.kill(container.id)

    async def kill(self, container_id: str) -> None:
        """SIGKILL, and wait for the end. Raises EngineError if there is none."""
        live = self._live.get(container_id)
        if live is None:
            return
        bell = self.next_end(container_id)
        self.signal(live, 9)
        await self._let_die(container_id, live)
        self._publish(self._registry.get(container_id), "kill", {"signal": "9"})
        with trio.move_on_after(KILL_PATIENCE):
            await bell.wait()
        if not bell.rung.is_set():
            raise EngineError(
                f"container {container_id[:12]} did not end within {KILL_PATIENCE:g} s of SIGKILL",
                hint="a process of it hangs in the kernel (state D in ps)",
            )

    async def _let_die(self, container_id: str, live: Live) -> None:
        """What v1's freezer holds does not even die of SIGKILL before it is thawed."""
        paused = self._registry.get(container_id).state.status == "paused"
        if paused and not tree.unified_mount(live.spec.cgroup.mode):
            try:
                await trio.to_thread.run_sync(lambda: tree.freeze(live.spec.cgroup, frozen=False))
            except OSError:
                return  # it has died

    async def freeze(self, container_id: str, *, frozen: bool) -> None:
        """Freeze or thaw every process, and say so in the state. Raises ConflictError if it has ended."""
        live = self._live.of(container_id)
        try:
            await trio.to_thread.run_sync(lambda: tree.freeze(live.spec.cgroup, frozen=frozen))
        except FileNotFoundError:
            pass  # the cgroup went with the last process: said below
        except OSError as error:
            raise EngineError(
                f"cannot freeze container {container_id}: {error.strerror}"
            ) from error
        if self._live.get(container_id) is not live or read_exit(live.monitor.run_dir):
            raise ConflictError(f"container {container_id} is not running")
        self._registry.set_state(container_id, status="paused" if frozen else "running")

    def signal(self, live: Live, number: int) -> None:
        """Send a signal to PID 1; if it has just ended that is fine."""
        try:
            live.monitor.signal(number)
        except (ProcessLookupError, OSError):
            return

    def call_off_restart(self, container_id: str) -> None:
        """No restart will come of the last end. Idempotent."""
        scope = self._pauses.pop(container_id, None)
        if scope is not None:
            scope.cancel()

    async def restart_found(self, first: list[str], joining: list[str]) -> None:
        """Start containers that were found dead; then, in order, those that join others' namespaces."""
        async with trio.open_nursery() as nursery:
            for container_id in first:
                nursery.start_soon(self._restart_after, container_id, 0.0)
        for container_id in joining:
            await self._restart_after(container_id, 0.0)

    def first_health(self, container: Container) -> Health | None:
        """The health of a container that has just started."""
        return Health("starting") if health.probe_command(container.config) else None

    def forget(self, container_id: str, exit_code: int) -> None:
        """A container is removed: tell whoever waited for that."""
        removal = self._removals.pop(container_id, Bell())
        self._ends.pop(container_id, Bell()).ring(exit_code)
        removal.ring(exit_code)
        self._disappoint(container_id)
        self._locks.pop(container_id, None)
        self._delays.pop(container_id, None)
        self._entangled.discard(container_id)

    async def _watch(self, container_id: str, live: Live) -> None:
        record = await live.monitor.wait_exit()
        live.scope.cancel()
        if not record.finished_ns:  # nobody recorded the end: the monitor itself was killed
            await trio.to_thread.run_sync(reap, live.spec.cgroup)
        with trio.CancelScope(shield=True):
            await self._leave_network(container_id)
        self._live.pop(container_id, None)
        finished = record.finished_ns or time.time_ns()
        try:
            container = self._registry.get(container_id)
        except NotFoundError:  # removed meanwhile: nobody is left to be told
            return
        state = container.state
        again = restart.wants_restart(
            container.host_config.restart_policy, record.exit_code, container.restart_count,
            stopped_by_user=state.stopped_by_user,
        )  # fmt: skip
        container = self._registry.set_state(
            container_id, status="restarting" if again else "exited", pid=0,
            exit_code=record.exit_code, finished_ns=finished, oom_killed=record.oom_killed,
            health=at_end(state.health),
        )  # fmt: skip
        self._announce_end(container, record)
        self._nursery.start_soon(self._volumes.release, container)
        bell = self._ends.pop(container_id, None)
        if bell:
            bell.ring(record.exit_code)
        if again:
            delay = restart.next_delay(
                self._delays.get(container_id, 0.0), finished - state.started_ns
            )
            self._delays[container_id] = delay
            self._nursery.start_soon(self._restart_after, container_id, delay)
        elif container.host_config.auto_remove:
            self._nursery.start_soon(self._remove, container_id)

    async def tidy(self, container_id: str) -> None:
        """Before a removal: what could not be done at the end."""
        if container_id in self._entangled:
            await self._leave_network(container_id)

    async def _leave_network(self, container_id: str) -> None:
        """Take what has ended off its networks; what the disk has no room for is done at its next start."""
        try:
            await self._launcher.leave_network(self._registry.get(container_id))
            await self._networks.set_answering(container_id, answering=True)
            self._entangled.discard(container_id)
        except EngineError as error:
            self._entangled.add(container_id)
            print(f"cannot take {container_id[:12]} off its networks: {error}", file=sys.stderr)  # noqa: T201  # the engine's log

    def _announce_end(self, container: Container, record: ExitRecord) -> None:
        if record.oom_killed:
            self._publish(container, "oom", {})
        ran = max(container.state.finished_ns - container.state.started_ns, 0) // 1_000_000_000
        self._publish(
            container,
            "die",
            {"exitCode": str(record.exit_code), "execDuration": str(ran)},
        )

    async def _restart_after(self, container_id: str, delay: float) -> None:
        with trio.CancelScope() as scope:
            self._pauses[container_id] = scope
            await trio.sleep(delay)
        if scope.cancelled_caught:
            return
        async with self.lock(container_id):
            try:
                container = self._registry.get(container_id)
            except NotFoundError:
                return
            if self._pauses.pop(container_id, None) is not scope or container.state.running:
                return
            try:
                await self.launch(container, by_user=False)
            except EngineError:
                return  # the state tells why
