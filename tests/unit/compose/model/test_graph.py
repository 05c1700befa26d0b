"""The order of going up and down, and circles named in full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.errors import ProjectError
from compose.model.dependency import Dependency
from compose.model.graph import ServiceGraph
from compose.model.service import Service


def services(needs: dict[str, tuple[str, ...]]) -> dict[str, Service]:
    return {
        name: Service(name=name, depends_on={other: Dependency() for other in others})
        for name, others in needs.items()
    }


def test_up_and_down() -> None:
    graph = ServiceGraph(services({"web": ("api", "cache"), "api": ("db",), "db": (), "cache": ()}))
    assert graph.ordered() == ["db", "api", "cache", "web"]
    assert graph.ordered_down() == ["web", "cache", "api", "db"]
    assert graph.needed_by("db") == ("api",)
    assert graph.closure(["api"]) == {"api", "db"}
    assert graph.dependents(["db"]) == {"db", "api", "web"}


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": ("a",)}, "a -> a"),
        ({"a": ("b",), "b": ("c",), "c": ("a",), "d": ("a",)}, "a -> b -> c -> a"),
        ({"a": ("b",), "b": ("c", "d"), "c": (), "d": ("b",)}, "b -> d -> b"),
    ],
)
def test_a_circle_is_named_in_full(needs: dict[str, tuple[str, ...]], circle: str) -> None:
    with pytest.raises(ProjectError, match=f"detected: {circle}: remove"):
        ServiceGraph(services(needs))


def test_a_long_chain_is_no_deeper_than_a_short_one() -> None:
    count = 5000
    chain = {f"s{n:04}": (f"s{n - 1:04}",) if n else () for n in range(count)}
    assert ServiceGraph(services(chain)).ordered() == [f"s{n:04}" for n in range(count)]


@given(st.dictionaries(st.integers(0, 20), st.sets(st.integers(0, 20), max_size=4), max_size=20))
def test_every_dependency_precedes_its_service(edges: dict[int, set[int]]) -> None:
    # Only ever on a smaller number: no circle.
    needs = {
        f"{n:02}": tuple(f"{other:02}" for other in others if other < n)
        for n, others in edges.items()
    }
    graph = ServiceGraph(services(needs))
    order = graph.ordered()
    assert sorted(order) == sorted(needs)
    for name in needs:
        assert all(order.index(other) < order.index(name) for other in graph.needs(name))
