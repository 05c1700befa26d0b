"""Configs and secrets whose content is in the project -> a tar to unpack in the container.

Files of the host that are to have another owner or mode there are read and copied too. Secrets are
asked for in memory: our engine never has them on a disk; another engine copies them like configs.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.engine_client.payloads.mounts import copied_grants
from compose.errors import ProjectError

if TYPE_CHECKING:
    from compose.engine_client.call import Call
    from compose.model.files import FileSource, GrantKind
    from compose.model.project import Project
    from compose.model.service import Service


def upload(project: Project, service: Service, kind: GrantKind, ref: str) -> Call | None:
    """The call that gives a container these files; None for none. Raises ProjectError."""
    archive = files_archive(project, service, kind)
    if not archive:
        return None
    return calls.write_archive(ref, "/", archive, in_memory=kind == "secret")


def files_archive(project: Project, service: Service, kind: GrantKind) -> bytes:
    """The tar, b"" for nothing to copy. Raises ProjectError where it cannot be."""
    grants = [
        (grant, source, target, read_source(source) if source.file else content)
        for grant, source, target, content in copied_grants(project, service, kind)
    ]
    grants = [one for one in grants if one[3]]
    if not grants:
        return b""
    if service.read_only and kind == "config":
        raise read_only_error(service, kind, grants[0][1].name)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for grant, _, target, content in grants:
            entry = tarfile.TarInfo(target.lstrip("/"))
            entry.size = len(content)
            entry.mode = 0o444 if grant.mode is None else grant.mode
            entry.uid = int(grant.uid) if grant.uid.isdigit() else 0
            entry.gid = int(grant.gid) if grant.gid.isdigit() else 0
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def read_only_error(service: Service, kind: GrantKind, name: str) -> ProjectError:
    """Nothing can be copied into a root that is read-only."""
    return ProjectError(
        f'cannot create {kind} "{name}" in read-only service {service.name}: '
        "`file` is the sole supported option"
    )


def read_source(source: FileSource) -> bytes:
    """The file's content. Raises ProjectError."""
    try:
        return Path(source.file).read_bytes()
    except OSError as error:
        raise ProjectError(f"{source.file}: {error.strerror}: needed by {source.key}") from error
