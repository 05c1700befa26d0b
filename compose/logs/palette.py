"""Colours of log prefixes: one a service, the same in every command, readable on light and on dark.

They are of xterm's 256: of these, such as stand out from white and from black alike (a contrast of at
least 3.5 to both, WCAG 2.1), in an order in which neighbours differ. A service's colour is found by a
hash of its name among those of all services that are known, so that it hardly changes when others come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from colorama import Style
from colorama.ansi import CSI

if TYPE_CHECKING:
    from collections.abc import Iterable

COLOURS = (32, 166, 28, 163, 30, 99, 100, 161, 27, 64, 133, 130)
PALETTE = tuple(f"{CSI}38;5;{colour}m" for colour in COLOURS)
RESET = Style.RESET_ALL


class Palette:
    """Gives each name its colour, the same whenever it is asked for."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._given: dict[str, str] = {}
        for name in sorted(set(names)):
            self.colour(name)

    def colour(self, name: str) -> str:
        """The name's colour: its own, or the next that nobody has."""
        if name not in self._given:
            self._given[name] = PALETTE[self._place(name)]
        return self._given[name]

    def _place(self, name: str) -> int:
        wished: int = crc32(name.encode()) % len(PALETTE)
        taken = set(self._given.values())
        if len(taken) == len(PALETTE):
            return wished
        free = [place for place, colour in enumerate(PALETTE) if colour not in taken]
        return min(free, key=lambda place: (place < wished, place))
