"""Configs and secrets whose content is in the project -> a tar to unpack in the container.

Files of the host that are to have another owner or mode there are read and copied too.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from compose.engine_client.payloads.mounts import copied_grants
from compose.errors import ProjectError

if TYPE_CHECKING:
    from compose.model.project import FileSource, Project
    from compose.model.service import Service


def files_archive(project: Project, service: Service) -> bytes:
    """The tar, b"" for nothing to copy. Raises ProjectError where it cannot be."""
    grants = [
        (grant, source, target, read_source(source) if source.file else content)
        for grant, source, target, content in copied_grants(project, service)
    ]
    grants = [one for one in grants if one[3]]
    if not grants:
        return b""
    if service.read_only:
        raise ProjectError(
            f'cannot create config or secret "{grants[0][1].name}" in read-only service '
            f"{service.name}: `file` is the sole supported option"
        )
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


def read_source(source: FileSource) -> bytes:
    """The file's content. Raises ProjectError."""
    try:
        return Path(source.file).read_bytes()
    except OSError as error:
        raise ProjectError(f"{source.file}: {error.strerror}: needed by {source.key}") from error
