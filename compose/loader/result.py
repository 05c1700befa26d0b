"""What a load ends with: the project as a document, and as types."""

from __future__ import annotations

from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.loader.settings import Settings
    from compose.model.project import Project


class Loaded(Record):
    """A project, the warnings on the way to it, and the variables its files could use."""

    project: Project
    warnings: tuple[str, ...]
    settings: Settings

    @property
    def variables(self) -> Mapping[str, str]:
        """What `config --environment` prints."""
        return self.settings.environment


class Composed(Record):
    """A project as a full document, before it is bound to types."""

    full: Mapping[str, Any]
    disabled: Mapping[str, Any]
    settings: Settings
    warnings: tuple[str, ...]
