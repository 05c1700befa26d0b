"""`attach`: our streams joined to a running container's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from compose.engine_client import calls
from compose.operations.exec import running_container

if TYPE_CHECKING:
    from compose.operations.session import Session


class AttachRequest(NamedTuple):
    """The flags of attach."""

    service: str
    number: int = 0
    stdin: bool = True
    pass_signals: bool = True


def attach(request: AttachRequest, session: Session) -> int:
    """Join until the container ends; returns its exit code. Raises ComposeError."""
    from compose.operations.oneoff import join_container

    with session.client() as client:
        ref = running_container(client, session.project_name(), request.service, request.number)
        config = client.do(calls.inspect_container(ref)).json()["Config"]
        return join_container(
            client, ref, tty=bool(config["Tty"]), condition="not-running",
            stdin=request.stdin and bool(config["OpenStdin"]), pass_signals=request.pass_signals,
        )  # fmt: skip
