"""`commit`: an image of a container as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.engine_client import object_calls
from compose.model.record import Record

if TYPE_CHECKING:
    from compose.engine_client.blocking import BlockingClient
    from compose.operations.session import Session


class CommitRequest(Record):
    """The flags of commit. `changes` are Dockerfile instructions; `name` "" gives it none."""

    name: str = ""
    author: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()
    pause: bool = True


def commit(request: CommitRequest, session: Session, service: str, index: int) -> str:
    """Of a service's container; returns the image's id. Raises ComposeError."""
    from compose.operations.copying import CopyRequest, targets

    with session.client() as client:
        name, ref = targets(client, session.project_name(), service, CopyRequest("", "", index=index))[0]  # fmt: skip
        session.progress.report(f"Container {name}", "Committing")
        if session.dry_run:
            return ""
        made = commit_container(client, ref, request)
        session.progress.report(f"Container {name}", "Committed", "done")
    return made


def commit_container(client: BlockingClient, ref: str, request: CommitRequest) -> str:
    """Of that container; returns the image's id. Raises ComposeError."""
    from compose.engine_client.payloads.references import split_reference

    repository, tag = split_reference(request.name) if request.name else ("", "")
    call = object_calls.commit_container(
        ref, repository, tag, author=request.author, message=request.message,
        changes=list(request.changes), pause=request.pause,
    )  # fmt: skip
    return str(client.do(call).json()["Id"])
