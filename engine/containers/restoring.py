"""What a new engine does about containers it finds: adopt the living, settle the dead, start what should run.

Rules: the kernel and the monitors' records tell the truth, the database may be a step behind (an engine
can be killed between any two of its steps); what was half made or half removed is taken away. Safe to be
killed in, and run again.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import trio

from engine.containers import netfiles, restart
from engine.containers.launching import SPEC_NAME
from engine.containers.probing import at_end
from engine.containers.sharing import keeper_of
from engine.processes.client import ExitRecord, read_exit
from engine.runtime.cgroups import tree
from engine.runtime.launch import reap
from engine.runtime.spec import ContainerSpec, decode

if TYPE_CHECKING:
    from pathlib import Path

    from engine.containers.model import Container
    from engine.containers.service import Containers
    from engine.processes.client import Monitor

#: Nobody recorded the end: somebody killed the monitor, or the machine went down with it (Docker's 255).
KILLED, LOST = ExitRecord(137, 0), ExitRecord(255, 0)
#: An annotation of containers that mean nothing without the engine that made them (a build's steps).
EPHEMERAL = "pycompose.ephemeral"


async def restore(containers: Containers) -> None:
    """Adopt what runs, settle what has ended, start in the background what should run."""
    dead: list[Container] = []
    for container in containers.all():
        run_dir = containers.layout.container_run(container.id)
        monitor = await containers.forks.adopt(run_dir)
        if monitor is not None:
            await _adopt(containers, container, monitor)
        else:
            dead.append(container)
    live = {key: containers.get(key).state.pid for key in containers.handles}
    # Whoever has died meanwhile keeps no namespace, though it is still written down as running.
    sharers = [one for one in containers.registry.sharers() if one.id in live]
    known = containers.registry.known()
    keepers = {one.id: keeper_of(one.id, sharers, known) for one in dead}
    kept = {key: keeper.state.pid for key, keeper in keepers.items() if keeper is not None}
    await containers.networks.restore(live, kept)
    starting = [
        containers.get(container.id) for container in dead if await _settle(containers, container)
    ]
    await _drop_ephemeral(containers)
    there = {c.id for c in containers.all()}
    await trio.to_thread.run_sync(_sweep, containers, there)
    containers.secret_files.sweep(there)
    await trio.to_thread.run_sync(
        tree.sweep,
        containers.host.cgroup_mode,
        f"pycompose-{containers.engine_id}",
        list(containers.handles),
    )
    await containers.volume_use.settle()
    await _end_probes(containers)
    joining = [c.id for c in starting if _joins(c)]
    others = [c.id for c in starting if not _joins(c)]
    containers.nursery.start_soon(containers.life.restart_found, others, joining)


async def _adopt(containers: Containers, container: Container, monitor: Monitor) -> None:
    run_dir = containers.layout.container_run(container.id)
    spec = decode(ContainerSpec, await trio.to_thread.run_sync((run_dir / SPEC_NAME).read_bytes))
    keep_mounted_files(run_dir, spec)
    frozen = await trio.to_thread.run_sync(tree.is_frozen, spec.cgroup)
    state = container.state
    known = state.running and (state.pid, state.start_time) == (monitor.pid, monitor.start_time)
    fields: dict[str, object] = {"status": "paused" if frozen else "running"}
    if not known:  # the engine was killed before it could write down that the program runs
        fields |= {
            "pid": monitor.pid, "start_time": monitor.start_time, "exit_code": 0, "error": "",
            "started_ns": started_ns(monitor), "stopped_by_user": False,
            "health": containers.life.first_health(container),
        }  # fmt: skip
    containers.life.take(containers.registry.set_state(container.id, **fields), monitor, spec)


def keep_mounted_files(run_dir: Path, spec: ContainerSpec) -> None:
    """An older engine's container may have its hosts, hostname and resolv.conf mounted from elsewhere.

    They are written through links from then on, so what runs sees them change.
    """
    sources = {mount.target: mount.source for mount in spec.mounts}
    for name in netfiles.NAMES:
        own, mounted = run_dir / name, sources.get(f"/etc/{name}", "")
        if mounted and mounted != str(own) and os.path.exists(mounted) and not own.exists():
            own.symlink_to(mounted)


def started_ns(monitor: Monitor) -> int:
    """When a process was born, in nanoseconds since the epoch: from its ticks since boot."""
    ticks = os.sysconf("SC_CLK_TCK")
    age_ns = (
        time.clock_gettime_ns(time.CLOCK_BOOTTIME) - monitor.start_time * 1_000_000_000 // ticks
    )
    return time.time_ns() - max(age_ns, 0)


async def _settle(containers: Containers, container: Container) -> bool:
    """Write down how a container is that does not run; whether it is to be started."""
    state, host_config = container.state, container.host_config
    run_dir = containers.layout.container_run(container.id)
    folder = containers.layout.container(container.id)
    if not all((folder / name).exists() for name in ("upper", "work")):
        await containers.discard(container.id)  # half made, or half removed
        return False
    if state.status not in ("running", "paused", "restarting"):
        return restart.wants_start_at_boot(
            host_config.restart_policy, started_before=bool(state.started_ns),
            stopped_by_user=state.stopped_by_user,
        )  # fmt: skip
    record = read_exit(run_dir)
    if record is None:
        await trio.to_thread.run_sync(_reap_leftovers, run_dir)
    if state.status == "restarting":
        record = ExitRecord(state.exit_code, state.finished_ns, state.oom_killed)
    ended = record or (KILLED if run_dir.exists() else LOST)
    container = containers.registry.set_state(
        container.id, status="exited", pid=0, exit_code=ended.exit_code,
        finished_ns=ended.finished_ns or time.time_ns(), oom_killed=ended.oom_killed,
        health=at_end(state.health),
    )  # fmt: skip
    if state.status != "restarting":
        containers.publish(container, "die", {"exitCode": str(ended.exit_code)})
    if host_config.auto_remove:
        await containers.discard(container.id)
        return False
    again = restart.wants_restart(
        host_config.restart_policy, ended.exit_code, container.restart_count,
        stopped_by_user=state.stopped_by_user,
    )  # fmt: skip
    return again or restart.wants_start_at_boot(
        host_config.restart_policy, started_before=True, stopped_by_user=state.stopped_by_user
    )


async def _drop_ephemeral(containers: Containers) -> None:
    for container in containers.all():
        if EPHEMERAL in (container.host_config.annotations or {}):
            await containers.remove(container.id, force=True, volumes=True)


def _joins(container: Container) -> bool:
    host = container.host_config
    return any(
        mode.startswith("container:") for mode in (host.network_mode, host.pid_mode, host.ipc_mode)
    )


def _reap_leftovers(run_dir: Path) -> None:
    """A monitor that was killed has left a cgroup, and maybe processes in it."""
    try:
        spec = decode(ContainerSpec, (run_dir / SPEC_NAME).read_bytes())
    except (OSError, ValueError):
        return  # the machine was started anew: there is nothing of it
    reap(spec.cgroup)


def _sweep(containers: Containers, known: set[str]) -> None:
    """Folders of containers that the database does not know."""
    layout = containers.layout
    for parent in (layout.container("x").parent, layout.container_run("x").parent):
        if parent.is_dir():
            for folder in parent.iterdir():
                if folder.name not in known:
                    shutil.rmtree(folder, ignore_errors=True)


async def _end_probes(containers: Containers) -> None:
    """Health probes of the engine before: nobody watches their time any more."""
    for place in sorted(containers.layout.container_run("x").parent.glob("*/probes/*")):
        monitor = await containers.forks.adopt(place)
        if monitor is not None:
            try:
                monitor.kill_group()
            except ProcessLookupError:
                pass  # it has just ended
        shutil.rmtree(place, ignore_errors=True)
