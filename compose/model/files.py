"""Configs and secrets: where they come from, and who is given them."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    GrantKind = Literal["config", "secret"]


GRANT_KINDS: tuple[GrantKind, ...] = ("config", "secret")


class FileSource(Record):
    """A config or secret of the project: exactly one of file, environment and content is said.

    `digest` is of a file's content, where it was read, so that a change of it is noticed. `in_memory` is a
    secret whose copies the engine keeps in memory, beside the container's root.
    """

    key: str
    name: str
    external: bool = False
    file: str = ""
    environment: str = ""
    content: str | None = None
    digest: str = ""
    in_memory: bool = False
    labels: Mapping[str, str] = EMPTY
    document: Mapping[str, Any] = EMPTY

    def is_copied(self, grant: FileGrant, *, read_only: bool) -> bool:
        """Whether a service is given a copy: of what is no file, and of a file that is to have an
        owner or mode of its own, which the host's file has not. A read-only root takes no copy."""
        if self.external:
            return False
        takes = self.in_memory or not read_only
        return not self.file or (grant.is_owned and bool(self.digest) and takes)


class FileGrant(Record):
    """A config or secret given to a service or a build; `mode` None is the default 0444."""

    source: str
    target: str = ""
    uid: str = ""
    gid: str = ""
    mode: int | None = None

    @property
    def is_owned(self) -> bool:
        """Whether it says who owns the file, or its mode."""
        return bool(self.uid or self.gid) or self.mode is not None
