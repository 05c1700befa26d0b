"""The graph of services: who waits for whom, in which order, and where it goes in a circle. Pure.

Nothing here recurs: a chain may be as long as the project.
"""

from __future__ import annotations

from compose.errors import ProjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.model.service import Service


class ServiceGraph:
    """The services' dependencies; built only if there is no cycle."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._needs = {
            name: tuple(other for other in service.depends_on if other in services)
            for name, service in services.items()
        }
        self._needed_by: dict[str, list[str]] = {name: [] for name in services}
        for name, needs in self._needs.items():
            for other in needs:
                self._needed_by[other].append(name)
        self._ordered = self._sorted()

    def needs(self, name: str) -> tuple[str, ...]:
        """The services that `name` depends on itself."""
        return self._needs[name]

    def needed_by(self, name: str) -> tuple[str, ...]:
        """The services that depend on `name` themselves."""
        return tuple(self._needed_by[name])

    def ordered(self) -> list[str]:
        """All services, each after those it depends on; ties by name: the order of going up."""
        return list(self._ordered)

    def ordered_down(self) -> list[str]:
        """All services, each before those it depends on: the order of going down."""
        return self._ordered[::-1]

    def closure(self, names: Iterable[str]) -> set[str]:
        """The services named, and all that they depend on."""
        return _reached(names, self._needs)

    def dependents(self, names: Iterable[str]) -> set[str]:
        """The services named, and all that depend on them."""
        return _reached(names, self._needed_by)

    def _sorted(self) -> list[str]:
        """Depth first, by name. Raises ProjectError with all the members of a circle."""
        done: dict[str, None] = {}
        for first in sorted(self._needs):
            trail = {first: None}
            waiting = [iter(sorted(self._needs[first]))] if first not in done else []
            while waiting:
                name = next(waiting[-1], None)
                if name is None:
                    waiting.pop()
                    done[trail.popitem()[0]] = None
                elif name in trail:
                    way = list(trail)
                    cycle = " -> ".join((*way[way.index(name) :], name))
                    raise ProjectError(
                        f"dependency cycle detected: {cycle}: remove one of these depends_on"
                    )
                elif name not in done:
                    trail[name] = None
                    waiting.append(iter(sorted(self._needs[name])))
        return list(done)


def _reached(names: Iterable[str], steps: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += steps[name]
    return found
