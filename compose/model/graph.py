"""The graph of services: who waits for whom, in which order, and where it goes in a circle. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import ProjectError

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
        cycle = self._find_cycle()
        if cycle:
            raise ProjectError(
                f"dependency cycle detected: {' -> '.join(cycle)}: remove one of these depends_on"
            )

    def needs(self, name: str) -> tuple[str, ...]:
        """The services that `name` depends on itself."""
        return self._needs[name]

    def needed_by(self, name: str) -> tuple[str, ...]:
        """The services that depend on `name` themselves."""
        return tuple(other for other, needs in self._needs.items() if name in needs)

    def ordered(self) -> list[str]:
        """All services, each after those it depends on; ties by name."""
        done: dict[str, None] = {}

        def visit(name: str) -> None:
            if name not in done:
                for need in sorted(self._needs[name]):
                    visit(need)
                done[name] = None

        for name in sorted(self._needs):
            visit(name)
        return list(done)

    def closure(self, names: Iterable[str]) -> set[str]:
        """The services named, and all that they depend on."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._needs[name]
        return found

    def dependents(self, names: Iterable[str]) -> set[str]:
        """The services named, and all that depend on them."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.needed_by(name)
        return found

    def _find_cycle(self) -> list[str]:
        finished: set[str] = set()
        path: list[str] = []

        def visit(name: str) -> list[str]:
            if name in path:
                return [*path[path.index(name) :], name]
            if name in finished:
                return []
            path.append(name)
            for need in self._needs[name]:
                cycle = visit(need)
                if cycle:
                    return cycle
            path.pop()
            finished.add(name)
            return []

        for name in sorted(self._needs):
            cycle = visit(name)
            if cycle:
                return cycle
        return []
