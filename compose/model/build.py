"""How an image is made."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.files import FileGrant


class Build(Record):
    """How the image is made; `context` is an absolute path or a URL."""

    context: str = ""
    dockerfile: str = ""
    dockerfile_inline: str = ""
    args: Mapping[str, str | None] = EMPTY
    additional_contexts: Mapping[str, str] = EMPTY
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    entitlements: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    isolation: str = ""
    labels: Mapping[str, str] = EMPTY
    network: str = ""
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    privileged: bool = False
    provenance: str = ""
    pull: bool = False
    sbom: str = ""
    secrets: tuple[FileGrant, ...] = ()
    shm_size: int | None = None
    ssh: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    target: str = ""
    ulimits: Mapping[str, tuple[int, int]] = EMPTY
