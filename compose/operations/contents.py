"""Reads what the project's configs and secrets contain, so that a changed file is noticed."""

from __future__ import annotations

import os
import stat

from compose.model.digest import sha256
from compose.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.files import FileSource
    from compose.model.project import Project

#: What is larger is no configuration, and is not read at each `up`.
LARGEST = 16 << 20


def with_digests(project: Project) -> Project:
    """The project, knowing the digests of the files that its configs and secrets are."""
    if not any(source.file for source in (*project.configs.values(), *project.secrets.values())):
        return project
    return changed(
        project, configs=_with_digests(project.configs), secrets=_with_digests(project.secrets)
    )


def _with_digests(sources: Mapping[str, FileSource]) -> dict[str, FileSource]:
    return {
        key: changed(source, digest=file_digest(source.file)) if source.file else source
        for key, source in sources.items()
    }


def file_digest(path: str) -> str:
    """SHA-256 in hex; "" for what is no readable file: creating the container will say why."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            return ""
        found_digest = sha256()
        while data := os.read(number, 1 << 20):
            found_digest.update(data)
        return str(found_digest.hexdigest())
    except OSError:
        return ""
    finally:
        os.close(number)
