"""Configs and secrets whose content is in the project -> a tar to unpack in the container. Pure."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from compose.engine_client.payloads.mounts import copied_grants
from compose.errors import ProjectError

if TYPE_CHECKING:
    from compose.model.project import Project
    from compose.model.service import Service


def files_archive(project: Project, service: Service) -> bytes:
    """The tar, b"" for nothing to copy. Raises ProjectError where it cannot be."""
    grants = [grant for grant in copied_grants(project, service) if grant[3]]
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
