"""The composition root: put the rooms together, recover, serve, and stop.

A stop ends the engine, its fork server and its network worker. Containers go on with their monitors;
the DNS server, the bridges and the rules stay while any runs. Where none does, all of it is taken away.
"""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import socket
import stat
import sys
from contextlib import AsyncExitStack
from importlib import metadata
from ipaddress import ip_address
from typing import TYPE_CHECKING

import trio

from engine.api.engine import Engine
from engine.api.routes import Router
from engine.api.server import Server
from engine.build.credentials import credentials_for
from engine.build.execute import Builder
from engine.build.runner import ContainerRunner
from engine.containers.restoring import restore
from engine.containers.rooms import Rooms
from engine.containers.service import Containers
from engine.errors import EngineError
from engine.events.bus import EventBus
from engine.host import probe_host
from engine.images.pull import Puller
from engine.images.push import Pusher
from engine.images.registry.settings import read_settings, settings_folder
from engine.images.store import Images
from engine.loop_watch import watch_if_asked
from engine.networks.naming import Names
from engine.networks.publishing import Publisher, PublishPolicy
from engine.networks.service import Networks
from engine.processes.client import open_fork_server
from engine.runtime.cgroups import tree
from engine.storage.database import Database
from engine.storage.identity import engine_id
from engine.volumes.service import Volumes
from networking.ipam import DEFAULT_POOLS, parse_pool
from networking.linux.client import open_worker
from networking.relay.client import Relay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from engine.boot import Helpers
    from engine.build.request import Report
    from engine.images.registry.settings import RegistrySettings
    from engine.networks.cluster import Underlay
    from engine.storage.paths import Layout
    from networking.ipam import Pool


#: How much may be new before the collector looks for cycles: a request makes thousands of objects, of
#: which hardly any are in one. A twentieth of a start's CPU went into looking at each 700.
YOUNG = (10_000, 10, 10)


async def serve(
    layout: Layout,
    helpers: Helpers,
    pools: tuple[Pool, ...] = (),
    *,
    publish: PublishPolicy = PublishPolicy(),  # noqa: B008  # frozen
    underlay: Underlay | None = None,
    userns: str = "host",
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run an engine until it is told to stop; the caller holds its lock. Raises EngineErrors."""
    shutil.rmtree(layout.scratch, ignore_errors=True)
    layout.scratch.mkdir(mode=0o700)
    async with AsyncExitStack() as stack:
        database = Database.open(layout.database)
        stack.callback(database.close)
        identity = engine_id(database)
        forks = stack.enter_context(open_fork_server(helpers.fork_server.channel))
        worker = stack.enter_context(
            open_worker(f"pycompose-{identity}", helpers.network_worker.channel)
        )
        events = EventBus(database)
        stack.callback(events.write)
        settings = read_settings(settings_folder())
        images = Images(layout, database, events, settings.layer_limit)
        relay = Relay(layout.run)
        stack.callback(relay.hang_up)
        networks = Networks(
            database, events, worker, Names(layout.run), identity, pools or DEFAULT_POOLS,
            Publisher(worker, relay, publish), underlay,
        )  # fmt: skip
        stack.callback(networks.hang_up)
        await networks.open()
        if networks.cluster is not None:
            await networks.cluster.open()
        rooms = Rooms(
            layout=layout, database=database, events=events, images=images,
            volumes=Volumes(layout, database, events), networks=networks, forks=forks,
            host=probe_host(), engine_id=identity, userns=userns,
        )  # fmt: skip
        stopping = trio.Event()
        watch_if_asked()
        async with trio.open_nursery() as nursery:
            engine = compose_engine(rooms, settings, nursery, stopping.set)
            await restore(engine.containers)
            await engine.builder.recover()
            await images.recover()
            listener = listen(layout)
            nursery.start_soon(accept, listener, Server(Router(engine)), nursery)
            nursery.start_soon(obey_signals, stopping.set)
            if networks.cluster is not None:
                nursery.start_soon(networks.cluster.run)
            nursery.start_soon(database.keep_short)
            nursery.start_soon(events.keep_written)
            ready()
            # What has been imported stays: a full collection need not look at it, and takes no 20 ms.
            gc.freeze()
            gc.set_threshold(*YOUNG)
            gc.enable()
            sys.setswitchinterval(
                0.001
            )  # the loop gets the interpreter back soon from busy threads
            await stopping.wait()
            listener.socket.close()
            layout.socket.unlink(missing_ok=True)
            idle = not any(c.state.running for c in engine.containers.all())
            nursery.cancel_scope.cancel()
        if idle:
            await networks.close()
            tree.remove_parent(rooms.host.cgroup_mode, f"pycompose-{identity}")


def compose_engine(
    rooms: Rooms,
    settings: RegistrySettings,
    nursery: trio.Nursery,
    shut_down: Callable[[], None],
) -> Engine:
    """The upper rooms on the lower ones."""
    containers = Containers(rooms, nursery)
    puller = Puller(rooms.images, rooms.events, rooms.host.architecture, settings)

    async def pull(name: str, report: Report, auths: Mapping[str, Any], platform: str) -> None:
        credentials = credentials_for(name, auths)
        await puller.pull(name, report, credentials=credentials, platform=platform)

    builder = Builder(
        rooms.images, rooms.database, ContainerRunner(containers), pull,
        rooms.layout.cache_mounts, rooms.layout.run / "build",
        nursery=nursery,
    )  # fmt: skip
    return Engine(
        id=rooms.engine_id,
        version=metadata.version("pycompose"),
        layout=rooms.layout,
        host=rooms.host,
        events=rooms.events,
        images=rooms.images,
        puller=puller,
        pusher=Pusher(rooms.images, rooms.events, settings),
        volumes=rooms.volumes,
        networks=rooms.networks,
        containers=containers,
        builder=builder,
        shut_down=shut_down,
    )


def listen(layout: Layout) -> trio.SocketListener:
    """The API's socket: root and the group `pycompose` (where there is one) may use it."""
    layout.socket.unlink(missing_ok=True)
    directory = os.open(layout.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # By descriptor: a socket's path has at most 107 bytes, a test's folder may be deeper.
        server.bind(f"/proc/self/fd/{directory}/{layout.socket.name}")
        layout.socket.chmod(stat.S_IRUSR | stat.S_IWUSR)
        server.listen(128)
    finally:
        os.close(directory)
    return trio.SocketListener(trio.socket.from_stdlib_socket(server))


async def accept(listener: trio.SocketListener, server: Server, nursery: trio.Nursery) -> None:
    """A task for each connection, until the listener is closed."""
    while True:
        try:
            stream = await listener.accept()
        except trio.ClosedResourceError:
            return
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                return
            await trio.sleep(0.1)  # somebody will hang up
            continue
        nursery.start_soon(server.serve, stream)


async def obey_signals(stop: Callable[[], None]) -> None:
    """SIGTERM and SIGINT stop the engine."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            stop()


def chosen_pools(texts: list[str]) -> tuple[Pool, ...]:
    """--address-pool values. Raises EngineError."""
    try:
        return tuple(parse_pool(text) for text in texts)
    except ValueError as error:
        raise EngineError(f"invalid address pool: {error}") from error


def chosen_userns(mode: str) -> str:
    """--userns. Raises EngineError."""
    if mode not in ("host", "auto"):
        raise EngineError(f"invalid --userns {mode!r}: host or auto")
    return mode


def chosen_policy(address: str, hook: str) -> PublishPolicy:
    """--publish-address and --published-ports. Raises EngineError."""
    try:
        ip_address(address)
    except ValueError as error:
        raise EngineError(f"invalid publish address: {error}") from error
    if hook not in ("forward", "input"):
        raise EngineError(f"invalid --published-ports {hook!r}: forward or input")
    return PublishPolicy(address, through_input=hook == "input")
