"""`attach`: our streams joined to a running container's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from compose.engine_client import calls
from compose.errors import ComposeError
from compose.operations.exec import running_container

if TYPE_CHECKING:
    from compose.engine_client.blocking import BlockingClient
    from compose.operations.session import Session


class AttachRequest(NamedTuple):
    """The flags of attach. `service` is a container's name for `container attach`."""

    service: str
    number: int = 0
    stdin: bool = True
    pass_signals: bool = True
    detach_keys: str = ""


class LeftError(ComposeError):
    """The person has left with the detach keys; docker's words for it."""


def attach(request: AttachRequest, session: Session) -> int:
    """Join a service's container until it ends; returns its exit code. Raises ComposeError."""
    with session.client() as client:
        ref = running_container(client, session.project_name(), request.service, request.number)
        if session.dry_run:
            return 0
        return join_running(client, ref, request)


def attach_container(request: AttachRequest, session: Session) -> int:
    """The same for a container by its name. Raises ComposeError."""
    with session.client() as client:
        return join_running(client, request.service, request)


def join_running(client: BlockingClient, ref: str, request: AttachRequest) -> int:
    """Join one that runs. Raises ComposeError for one that does not, and when the person leaves."""
    from compose.operations.joining import Joined, join_container

    found = client.do(calls.inspect_container(ref)).json()
    state, config = found["State"], found["Config"]
    if not state.get("Running"):
        raise ComposeError("you cannot attach to a stopped container, start it first")
    for word in ("Paused", "Restarting"):
        if state.get(word):
            raise ComposeError(f"you cannot attach to a {word.lower()} container")
    how = Joined(
        tty=bool(config["Tty"]),
        stdin=request.stdin and bool(config["OpenStdin"]),
        pass_signals=request.pass_signals,
        keys=request.detach_keys,
    )
    code = join_container(client, str(found["Id"]), how)
    if code is None:
        raise LeftError("read escape sequence")
    return code
