"""`container start --attach`: a container that was stopped, started with our streams joined to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.engine_client import calls, object_calls
from compose.operations.joining import Joined, join_container

if TYPE_CHECKING:
    from compose.operations.session import Session


def start_attached(session: Session, ref: str, *, stdin: bool, keys: str = "") -> int:
    """Start it and stay to its end; its exit code. Raises ComposeError."""
    with session.client() as client:
        found = client.do(calls.inspect_container(ref)).json()
        config = found["Config"]
        removed = bool((found.get("HostConfig") or {}).get("AutoRemove"))
        how = Joined(
            tty=bool(config["Tty"]),
            stdin=stdin and bool(config["OpenStdin"]),
            condition="removed" if removed else "next-exit",
            keys=keys,
        )

        def begin() -> None:
            client.do(object_calls.start_container(str(found["Id"]), keys))

        return join_container(client, str(found["Id"]), how, begin) or 0
