"""Our streams joined to a container's until it ends: attach first, then start it, then wait for its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.errors import ComposeError
from compose.model.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.engine_client.blocking import BlockingClient

SIGNALS = {1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 10: "SIGUSR1", 12: "SIGUSR2", 15: "SIGTERM"}


class Joined(Record):
    """Which streams, and how. `condition` is what is waited for; `keys` "" are the usual ones."""

    tty: bool = False
    stdin: bool = True
    stdout: bool = True
    stderr: bool = True
    condition: str = "not-running"
    pass_signals: bool = True
    keys: str = ""


def join_container(
    client: BlockingClient,
    container_id: str,
    how: Joined,
    begin: Callable[[], None] | None = None,
) -> int | None:
    """Its exit code; None if the person left with the detach keys. `begin` starts it."""
    from compose.operations.terminal import join, window_size

    def resize(height: int, width: int) -> None:
        if height:
            client.do(calls.resize_container(container_id, height, width))

    def pass_on(number: int) -> None:
        try:
            client.do(calls.kill_container(container_id, SIGNALS.get(number, str(number))))
        except ComposeError:
            pass  # it has ended by itself

    connection, first, _ = client.hijack(
        calls.attach_container(
            container_id,
            stdin=how.stdin,
            stdout=how.stdout,
            stderr=how.stderr,
            detach_keys=how.keys,
        )
    )
    with connection:
        waiting = client.begin(calls.wait_container(container_id, how.condition))
        if begin is not None:
            begin()
        if how.tty:
            resize(*window_size())
        ended = join(
            connection, first, tty=how.tty, stdin=how.stdin, on_resize=resize, detach_keys=how.keys,
            on_signal=pass_on if how.pass_signals and not how.tty else None,
        )  # fmt: skip
    if not ended:
        waiting.connection.close()
        return None
    return int(client.finish(waiting).json().get("StatusCode") or 0)
