"""Which ids of the host are whose: a range for each container that has a user namespace. Pure.

A range is a container's from its creation to its removal and stands in its record, so a new engine
knows it too. The ids begin where neither people nor subuid(5) nor systemd's homes are; they end
below systemd's limit for containers (its UIDS-GIDS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import HostLimitError
from engine.runtime.compile import ID_COUNT

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST, LAST = 0x30000000, 0x6FFF0000


def free_range(taken: Iterable[int]) -> int:
    """The lowest range's first id that nobody has. Raises HostLimitError where all are taken."""
    used = set(taken)
    for first in range(FIRST, LAST + 1, ID_COUNT):
        if first not in used:
            return first
    raise HostLimitError(
        "no range of ids is free for another container with userns_mode auto",
        hint="remove containers that are not needed",
    )
