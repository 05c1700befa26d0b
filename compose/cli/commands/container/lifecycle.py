"""`container start`, `stop`, `restart`, `kill`, `pause`, `unpause`, `wait`, `rm`, `rename`, `update`, `prune`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from compose.cli.command import Command, Invocation
from compose.cli.commands.container.run_flags import LIMITS
from compose.cli.commands.up import confirmer
from compose.cli.flags import Flag, Options
from compose.errors import ComposeError, EngineRefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.engine_client.call import Call


def tell_each(options: Options, invocation: Invocation, call: Callable[[str], Call]) -> int:
    """Make the call for each container and print those that it went well with."""
    from compose.operations.objects import each

    for name in each(invocation.session(quiet=True), options.arguments, call):
        print(name, flush=True)
    return 0


def start(options: Options, invocation: Invocation) -> int:
    """Start containers; with --attach or --interactive one, with our streams."""
    from compose.engine_client import object_calls

    if options.checkpoint or options.checkpoint_dir:
        raise UsageError("--checkpoint is not supported: this engine keeps no checkpoints")
    if options.attach or options.interactive:
        from compose.operations.starting import start_attached

        if len(options.arguments) > 1:
            raise UsageError("you cannot start and attach multiple containers at once")
        return start_attached(
            invocation.session(quiet=True), options.arguments[0],
            stdin=options.interactive, keys=options.detach_keys,
        )  # fmt: skip
    return tell_each(options, invocation, object_calls.start_container)


def stop(options: Options, invocation: Invocation) -> int:
    """Stop containers."""
    return stop_or_restart("stop", options, invocation)


def restart(options: Options, invocation: Invocation) -> int:
    """Stop and start containers."""
    return stop_or_restart("restart", options, invocation)


def stop_or_restart(verb: str, options: Options, invocation: Invocation) -> int:
    """The two have the same flags."""
    from compose.engine_client import object_calls

    timeout = options.time if options.timeout is None else options.timeout
    return tell_each(
        options, invocation,
        lambda ref: object_calls.stop_container(
            ref, verb=verb, signal=options.signal, timeout=timeout
        ),
    )  # fmt: skip


def kill(options: Options, invocation: Invocation) -> int:
    """Send a signal."""
    from compose.engine_client import calls

    signal = options.signal or "SIGKILL"
    return tell_each(options, invocation, lambda ref: calls.kill_container(ref, signal))


def pause(options: Options, invocation: Invocation) -> int:
    """Freeze containers."""
    from compose.engine_client import calls

    return tell_each(options, invocation, calls.pause_container)


def unpause(options: Options, invocation: Invocation) -> int:
    """Thaw containers."""
    from compose.engine_client import calls

    return tell_each(options, invocation, calls.unpause_container)


def wait(options: Options, invocation: Invocation) -> int:
    """Wait for the end of containers and print their exit codes."""
    from compose.engine_client import calls
    from compose.errors import EngineRefusedError
    from compose.operations.objects import answers

    failed: list[str] = []
    session = invocation.session(quiet=True)
    for _, answer in answers(session, options.arguments, calls.wait_container):
        if isinstance(answer, EngineRefusedError):
            failed.append(str(answer))
        else:
            print(answer.json().get("StatusCode", 0), flush=True)
    if failed:
        raise ComposeError("; ".join(failed))
    return 0


def rm(options: Options, invocation: Invocation) -> int:
    """Remove containers."""
    from compose.engine_client import object_calls
    from compose.operations.objects import SeveralFailedError, answers

    def call(name: str) -> Call:
        return object_calls.remove_container(
            name if options.link else name.strip("/"),
            volumes=options.volumes, force=options.force, link=options.link,
        )  # fmt: skip

    failed: list[str] = []
    for name, answer in answers(invocation.session(quiet=True), options.arguments, call):
        if not isinstance(answer, EngineRefusedError):
            print(name, flush=True)
        elif options.force and answer.status == 404:  # what is wished for is so
            print(answer, file=sys.stderr)
        else:
            failed.append(str(answer))
    if failed:
        raise SeveralFailedError("; ".join(failed))
    return 0


def rename(options: Options, invocation: Invocation) -> int:
    """Give a container another name."""
    from compose.engine_client import calls
    from compose.operations.objects import ask

    old, new = options.arguments
    if not new.strip():
        raise UsageError("error: neither old nor new names may be empty")
    ask(invocation.session(quiet=True), calls.rename_container(old, new))
    return 0


def update(options: Options, invocation: Invocation) -> int:
    """Change limits and restart policy of containers."""
    from compose.cli.container_request import limits, restart_policy
    from compose.engine_client import object_calls
    from compose.errors import EngineRefusedError
    from compose.operations.objects import answers

    if not options.given:
        raise UsageError("you must provide one or more flags when using this command")
    body = limits(options)
    if options.restart:
        body["RestartPolicy"] = restart_policy(options.restart)
    failed: list[str] = []
    session = invocation.session(quiet=True)
    for name, answer in answers(
        session, options.arguments, lambda ref: object_calls.update_container(ref, body)
    ):
        if isinstance(answer, EngineRefusedError):
            failed.append(str(answer))
            continue
        for warning in (answer.json() or {}).get("Warnings") or []:
            session.progress.warn(warning)
        print(name, flush=True)
    if failed:
        raise ComposeError("; ".join(failed))
    return 0


def prune(options: Options, invocation: Invocation) -> int:
    """Remove all stopped containers."""
    from compose.cli.units import decimal_size
    from compose.operations.objects import pruned, read_filters

    question = (
        "WARNING! This will remove all stopped containers. Are you sure you want to continue?"
    )
    if not confirmer(yes=options.force)(question):
        raise UsageError("container prune has been cancelled: --force does not ask")
    found = pruned(invocation.session(quiet=True), "containers", read_filters(options.filter))
    removed = found.get("ContainersDeleted") or []
    if removed:
        print("Deleted Containers:\n" + "\n".join(removed) + "\n")
    print(f"Total reclaimed space: {decimal_size(found.get('SpaceReclaimed') or 0, 4)}")
    return 0


MANY = "CONTAINER [CONTAINER...]"
STOP_FLAGS = (
    Flag("signal", "s", kind="text", help="The signal to send first"),
    Flag("timeout", "t", kind="number", help="Seconds to wait before it is killed"),
    Flag("time", kind="number", hidden=True),  # docker's older name for it, which many scripts have
)

COMMANDS = {
    "start": Command(
        f"container start [OPTIONS] {MANY}",
        "Start one or more stopped containers",
        (
            Flag("attach", "a", help="Show its output, and pass on signals"),
            Flag("checkpoint", kind="text", help="Start from a checkpoint (not supported)"),
            Flag("checkpoint-dir", kind="text", help="Where checkpoints are (not supported)"),
            Flag("detach-keys", kind="text", help="The keys to leave it with"),
            Flag("interactive", "i", help="Join its STDIN"),
        ),
        start,
        least=1,
    ),
    "stop": Command(f"container stop [OPTIONS] {MANY}", "Stop one or more running containers", STOP_FLAGS, stop, least=1),
    "restart": Command(f"container restart [OPTIONS] {MANY}", "Restart one or more containers", STOP_FLAGS, restart, least=1),
    "kill": Command(
        f"container kill [OPTIONS] {MANY}",
        "Kill one or more running containers",
        (Flag("signal", "s", kind="text", help="The signal to send; SIGKILL without it"),),
        kill,
        least=1,
    ),
    "pause": Command(f"container pause {MANY}", "Pause all processes within one or more containers", (), pause, least=1),
    "unpause": Command(f"container unpause {MANY}", "Unpause all processes within one or more containers", (), unpause, least=1),
    "wait": Command(f"container wait {MANY}", "Block until one or more containers stop, then print their exit codes", (), wait, least=1),
    "rm": Command(
        f"container rm [OPTIONS] {MANY}",
        "Remove one or more containers",
        (
            Flag("force", "f", help="Running ones too: they are killed"),
            Flag("link", "l", help="Remove a link instead"),
            Flag("volumes", "v", help="Remove their anonymous volumes too"),
        ),
        rm,
        least=1,
    ),
    "rename": Command("container rename CONTAINER NEW_NAME", "Rename a container", (), rename, least=2, most=2),
    "update": Command(
        f"container update [OPTIONS] {MANY}",
        "Update configuration of one or more containers",
        (*LIMITS, Flag("restart", kind="text", help="When to start it again after its end")),
        update,
        least=1,
    ),
    "prune": Command(
        "container prune [OPTIONS]",
        "Remove all stopped containers",
        (
            Flag("filter", kind="list", metavar="filter", help="Only those for which this holds, as in until=24h"),
            Flag("force", "f", help="Do not ask"),
        ),
        prune,
        most=0,
    ),
}  # fmt: skip
