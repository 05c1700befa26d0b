"""The indexes of links that rules name, remembered: a link may be gone when its rules are to go."""

from __future__ import annotations

from networking.linux import links


class Indexes:
    """Link's name -> index, of one network namespace."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def look_up(self, name: str) -> int:
        """As it is now; 0 where there is no such link."""
        try:
            index = links.index_of(name)
        except OSError:
            return 0
        self._known[name] = index
        return index

    def of(self, name: str) -> int:
        """As it was when it was looked up; 0 where there was and is no such link."""
        return self._known.get(name) or self.look_up(name)

    def forget(self, name: str) -> None:
        """The link is no longer ours to know."""
        self._known.pop(name, None)
