"""`python -m engine serve|status|stop|unit`: the engine as a program."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from engine.boot import engine_lock, open_helpers, raise_descriptor_limit, require_privileges
from engine.errors import EngineError
from engine.storage.paths import Layout, default_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds to wait for an engine that starts or stops.
PATIENCE = 60.0

UNIT = """[Unit]
Description=pycompose engine
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart={python} -m engine serve{arguments}
KillMode=process
Delegate=yes
Restart=on-failure
LimitNOFILE=1048576

[Install]
WantedBy=multi-user.target
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run one command; the exit code."""
    options = _parser().parse_args(arguments)
    layout = default_layout(root=options.root, run=options.run_dir)
    try:
        if options.command == "serve":
            return _serve(layout, options)
        if options.command == "status":
            return _status(layout)
        if options.command == "stop":
            return _stop(layout)
        _say(UNIT.format(python=sys.executable, arguments=_own_arguments(options)))
    except EngineError as error:
        print(error, file=sys.stderr)  # noqa: T201  # the program's own words
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pycompose engine", description=__doc__)
    parser.add_argument("--root", help="state folder (PYCOMPOSE_ROOT)")
    parser.add_argument("--run-dir", help="run folder (PYCOMPOSE_RUN_DIR)")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the engine")
    serve.add_argument("--detach", "-d", action="store_true", help="in the background")
    serve.add_argument(
        "--address-pool", action="append", default=[], metavar="CIDR[,SIZE]",
        help="where new networks get their subnets (PYCOMPOSE_ADDRESS_POOL); repeatable",
    )  # fmt: skip
    serve.add_argument(
        "--publish-address", default=os.environ.get("PYCOMPOSE_PUBLISH_ADDRESS", "0.0.0.0"),  # noqa: S104  # Docker's default
        help="where ports without a host address are published (PYCOMPOSE_PUBLISH_ADDRESS)",
    )  # fmt: skip
    serve.add_argument(
        "--published-ports", choices=("forward", "input"),
        default=os.environ.get("PYCOMPOSE_PUBLISHED_PORTS", "forward"),
        help="which hook of the host's firewall governs published ports: forward, as Docker does, or "
        "input, so that ufw and firewalld open and close them (PYCOMPOSE_PUBLISHED_PORTS)",
    )  # fmt: skip
    serve.add_argument(
        "--cluster-address", default=os.environ.get("PYCOMPOSE_CLUSTER_ADDRESS", ""), metavar="IP",
        help="this host's address for the engines it shares overlay networks with; the key of all of "
        "them is in PYCOMPOSE_CLUSTER_KEY",
    )  # fmt: skip
    serve.add_argument(
        "--cluster-peer", action="append", default=[], metavar="IP",
        help="such an engine's address (PYCOMPOSE_CLUSTER_PEERS); repeatable",
    )  # fmt: skip
    serve.add_argument(
        "--userns", choices=("host", "auto"), default=os.environ.get("PYCOMPOSE_USERNS", "host"),
        help="the user namespace of containers that do not say: the host's, or auto, one of each "
        "container's own (PYCOMPOSE_USERNS)",
    )  # fmt: skip
    commands.add_parser("status", help="tell whether the engine runs")
    commands.add_parser("stop", help="end the engine; containers go on")
    commands.add_parser("unit", help="print a systemd unit")
    for sub in commands.choices.values():
        sub.add_argument("--root", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        sub.add_argument("--run-dir", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def _serve(layout: Layout, options: argparse.Namespace) -> int:
    require_privileges()
    if not options.detach:
        return _run(layout, options)
    if _answers(layout):
        return 0
    layout.run.mkdir(parents=True, exist_ok=True, mode=0o711)
    word, ready = os.pipe2(os.O_CLOEXEC)
    with layout.log.open("ab") as log:
        mark = log.tell()
        # A fork, not another interpreter: nothing heavy is imported yet, and no thread runs.
        child = os.fork()
        if child == 0:
            os.close(word)
            _leave_the_terminal(log.fileno())
            return _run(layout, options, ready)
    os.close(ready)
    with open(word, "rb") as pipe:
        return _wait_until_ready(layout, pipe, child, mark)


def _run(layout: Layout, options: argparse.Namespace, ready: int | None = None) -> int:
    """Be the engine until it is told to stop; a byte goes to `ready` once it can be asked."""
    with engine_lock(layout), open_helpers() as helpers:
        raise_descriptor_limit()
        # httpx's command-line program, which it imports where click and rich are installed: 5 MiB.
        sys.modules["httpx._main"] = None  # type: ignore[assignment]  # that is how an import is refused
        gc.disable()  # until it serves: nothing that imports make is garbage, or next to nothing
        import trio

        from engine.daemon import chosen_policy, chosen_pools, chosen_userns, serve
        from engine.networks.cluster import read_underlay

        pools = options.address_pool or os.environ.get("PYCOMPOSE_ADDRESS_POOL", "").split()
        policy = chosen_policy(options.publish_address, options.published_ports)
        userns = chosen_userns(options.userns)
        peers = options.cluster_peer or os.environ.get("PYCOMPOSE_CLUSTER_PEERS", "").split()
        key = os.environ.get("PYCOMPOSE_CLUSTER_KEY", "")
        underlay = read_underlay(options.cluster_address, peers, key)

        def tell() -> None:
            if ready is not None:
                with suppress(BrokenPipeError):  # whoever started us has lost patience
                    os.write(ready, b"1")
                os.close(ready)

        async def run() -> None:
            await serve(
                layout, helpers, chosen_pools(pools), publish=policy, underlay=underlay,
                userns=userns, ready=tell,
            )  # fmt: skip

        trio.run(run)
    return 0


def _leave_the_terminal(log: int) -> None:
    """Become a process in the background that writes to its log."""
    os.setsid()
    os.chdir("/")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    for stream in (1, 2):
        os.dup2(log, stream)


def _wait_until_ready(layout: Layout, pipe: BinaryIO, child: int, mark: int) -> int:
    """0 once the engine answers. Raises EngineError with the log's last line where it does not."""
    import select

    if not select.select([pipe], [], [], PATIENCE)[0]:
        raise EngineError(
            f"the engine (process {child}) was not ready in {PATIENCE:g} s; it is still starting",
            hint=f"try again, or see {layout.log}",
        )
    if pipe.read(1):
        return 0
    os.waitpid(child, 0)
    deadline = time.monotonic() + PATIENCE
    while _pid(layout) is not None and time.monotonic() < deadline:
        if _answers(layout):  # another one was quicker
            return 0
        time.sleep(0.01)  # it tells only who started it
    with layout.log.open("rb") as log:
        log.seek(mark)
        lines = log.read().decode(errors="replace").strip().splitlines()
    why = lines[-1] if lines else "it said nothing"
    raise EngineError(f"the engine did not start: {why}", hint=f"see {layout.log}")


def _status(layout: Layout) -> int:
    pid = _pid(layout)
    if pid is None or not _answers(layout):
        _say(f"no engine runs for {layout.run}\n")
        return 1
    _say(f"the engine runs: process {pid}, socket {layout.socket}, state {layout.root}\n")
    return 0


def _stop(layout: Layout) -> int:
    import signal

    pid = _pid(layout)
    if pid is None:
        _say(f"no engine runs for {layout.run}\n")
        return 0
    pidfd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        import select

        if not select.select([pidfd], [], [], PATIENCE)[0]:
            raise EngineError(f"the engine (process {pid}) did not stop in {PATIENCE:g} s")
    finally:
        os.close(pidfd)
    return 0


def _pid(layout: Layout) -> int | None:
    """The process that holds the lock; None if nobody does."""
    import fcntl

    try:
        with layout.lock.open() as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(stream.read().strip() or 0) or None
    except OSError:
        pass  # there never was one
    return None


def _answers(layout: Layout) -> bool:
    """Whether the API answers a ping."""
    import socket

    try:
        directory = os.open(layout.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(f"/proc/self/fd/{directory}/{layout.socket.name}")
            client.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            return client.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    finally:
        os.close(directory)


def _own_arguments(options: argparse.Namespace) -> str:
    given = [("--root", options.root), ("--run-dir", options.run_dir)]
    return "".join(f" {flag} {value}" for flag, value in given if value)


def _say(text: str) -> None:
    sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main())
