"""A named volume."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Volume(Record):
    """A named volume of the project."""

    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: Mapping[str, str] = EMPTY
    labels: Mapping[str, str] = EMPTY
    document: Mapping[str, Any] = EMPTY
