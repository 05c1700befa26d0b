"""Colours of log prefixes: one a service, in docker compose's order, over again when they run out."""

from __future__ import annotations

from colorama import Fore, Style

BASIC = (Fore.CYAN, Fore.YELLOW, Fore.GREEN, Fore.MAGENTA, Fore.BLUE)
#: "\x1b[36m" -> "\x1b[36;1m".
INTENSE = tuple(colour.removesuffix("m") + ";1m" for colour in BASIC)
PALETTE = BASIC + INTENSE
RESET = Style.RESET_ALL


class Palette:
    """Gives each name its colour, the same whenever it is asked for."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def colour(self, name: str) -> str:
        """The name's colour; the next free one for a new name."""
        if name not in self._given:
            self._given[name] = PALETTE[len(self._given) % len(PALETTE)]
        return self._given[name]
