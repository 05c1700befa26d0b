"""`cp` and `export`: files between a service's container and this machine."""

from __future__ import annotations

import base64
import json
import posixpath
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls
from compose.engine_client.payloads.status import canonical_name
from compose.errors import ComposeError, UsageError
from compose.model import labels
from compose.model.record import Record
from compose.operations.archives import CHUNK, pack, unpack
from compose.operations.placement import Place, place, split_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.engine_client.blocking import BlockingClient
    from compose.operations.session import Session

#: Bits of Go's os.FileMode, which the engine's path stat has.
GO_FOLDER, GO_LINK = 1 << 31, 1 << 27


class CopyRequest(Record):
    """The flags of cp. One of the two is "service:path"; "-" is a tar on our own streams."""

    source: str
    target: str
    everything: bool = False
    archive: bool = False
    follow: bool = False
    index: int = 0


def copy(request: CopyRequest, session: Session) -> int:
    """Copy. Raises ComposeError."""
    from_service, from_path = split_argument(request.source)
    to_service, to_path = split_argument(request.target)
    if from_service and to_service:
        raise UsageError("copying between services is not supported: copy to a local path first")
    service = from_service or to_service
    if not service:
        raise UsageError("unknown copy direction: name one of the two paths as SERVICE:PATH")
    with session.client() as client:
        containers = targets(client, session.project_name(), service, request)
        for name, ref in containers[:1] if from_service else containers:
            if from_service:
                text = f"copy {name}:{from_path} to {to_path}"
            else:
                text = f"copy {from_path} to {name}:{to_path}"
            session.progress.report(name, "Copying", text=text)
            if session.dry_run:
                continue
            if from_service:
                copy_out(client, ref, from_path, to_path, request)
            else:
                copy_in(client, ref, from_path, to_path, request)
            session.progress.report(name, "Copied", "done", text)
    return 0


def copy_by_name(request: CopyRequest, session: Session) -> int:
    """The same with "container:path", whatever its project. Raises ComposeError."""
    source, from_path = split_argument(request.source)
    target, to_path = split_argument(request.target)
    if source and target:
        raise UsageError("copying between containers is not supported")
    if not source and not target:
        raise UsageError("must specify at least one container source")
    with session.client() as client:
        found = client.do(calls.inspect_container(source or target)).json()
        if source:
            copy_out(client, str(found["Id"]), from_path, to_path, request)
        else:
            copy_in(client, str(found["Id"]), from_path, to_path, request)
    return 0


def targets(
    client: BlockingClient, project: str, service: str, request: CopyRequest
) -> list[tuple[str, str]]:
    """(name, id) of the service's containers. Raises ComposeError if there is none."""
    more = [f"{labels.SERVICE}={service}"]
    if request.index:
        more.append(f"{labels.NUMBER}={request.index}")
    oneoff = None if request.everything else False
    items = client.do(calls.list_containers(project, oneoff=oneoff, more=more)).json() or []
    if not items:
        number = f" container #{request.index} of" if request.index else ""
        raise ComposeError(f'no{number or " container found for"} service "{service}"')
    return sorted((canonical_name(item["Names"]), str(item["Id"])) for item in items)


def stat(client: BlockingClient, ref: str, path: str) -> dict[str, Any] | None:
    """What a path in a container is; None for nothing."""
    answer = client.do(calls.stat_archive(ref, path))
    text = answer.headers.get("x-docker-container-path-stat", "")
    return json.loads(base64.b64decode(text)) if answer.status == 200 and text else None


def inside(client: BlockingClient, ref: str, path: str) -> Place:
    """A path in a container as a place; a symbolic link is followed once."""
    found = stat(client, ref, path)
    if found is not None and found["mode"] & GO_LINK:
        link = posixpath.join(posixpath.dirname(path), found.get("linkTarget", ""))
        target = stat(client, ref, link)
        if target is not None:
            return Place(link, exists=True, is_folder=bool(target["mode"] & GO_FOLDER))
    if found is None:
        return Place(path)
    return Place(path, exists=True, is_folder=bool(found["mode"] & GO_FOLDER))


def copy_in(
    client: BlockingClient, ref: str, source: str, target: str, request: CopyRequest
) -> None:
    """From here into a container."""
    there = inside(client, ref, target)
    if source == "-":
        if not there.is_folder:
            raise UsageError(f"{target} must be a folder, to unpack a tar in")
        pieces: Iterator[bytes] = iter(lambda: sys.stdin.buffer.read(CHUNK), b"")
        folder = there.path
    else:
        path = Path(source)
        if not path.exists() and not path.is_symlink():
            raise ComposeError(f"{source}: no such file or folder")
        is_folder = path.is_dir() and (request.follow or not path.is_symlink())
        put = place(Place(source, exists=True, is_folder=is_folder), there)
        folder = put.folder
        pieces = pack(path, put.name, follow=request.follow)
    call = calls.write_archive(ref, folder, copy_owner=request.archive)
    for _ in client.upload(call, pieces):
        pass


def copy_out(
    client: BlockingClient, ref: str, source: str, target: str, request: CopyRequest
) -> None:
    """Out of a container to here."""
    found = inside(client, ref, source) if request.follow else None
    path = found.path if found else source
    pieces = client.stream(calls.read_archive(ref, path))
    if target == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    status = stat(client, ref, path)
    if status is None:
        raise ComposeError(f"{source}: no such file or folder in the container")
    local = Path(target)
    is_folder = bool(status["mode"] & GO_FOLDER)
    put = place(
        Place(source, exists=True, is_folder=is_folder),
        Place(target, exists=local.exists(), is_folder=local.is_dir()),
    )
    folder = Path(put.folder)
    if not folder.is_dir():
        raise ComposeError(f"{folder}: no such folder")
    unpack(pieces, folder, put.name, owners=request.archive)


def export(session: Session, service: str, index: int, output: str) -> int:
    """`export`: a container's whole file system as a tar. Raises ComposeError."""
    with session.client() as client:
        request = CopyRequest("", "", index=index)
        _, ref = targets(client, session.project_name(), service, request)[0]
        return 0 if session.dry_run else export_container(client, ref, output)


def export_container(client: BlockingClient, ref: str, output: str) -> int:
    """That container's; `output` "" is our own output. Raises ComposeError."""
    if not output and sys.stdout.isatty():
        raise UsageError("output to a terminal refused: use -o FILE, or redirect")
    pieces = client.stream(calls.export_container(ref))
    if not output:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return 0
    if not Path(output).absolute().parent.is_dir():
        raise ComposeError(f"{output}: no such folder to write the file in")
    first = next(pieces, b"")  # before the file is touched: the engine may refuse
    try:
        with Path(output).open("wb") as file:
            file.write(first)
            file.writelines(pieces)
    except OSError as error:
        raise ComposeError(f"{output}: {error.strerror}") from error
    return 0
