"""Where the boxes of a dependency graph go: columns by how deep they are needed, rows without much crossing.

After Sugiyama, Tagawa and Toda (1981): rank by the longest path; a line over several columns gets a
point in each of those between, so that it goes around boxes; order by the barycentre of neighbours,
swept to and fro; then heights as near to the neighbours' as the order and the gaps allow.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from compose.model.record import Record

if TYPE_CHECKING:
    from compose.drawing.model import Dependencies, Edge

SWEEPS = 12


class Spot(Record):
    """A place in a column: a service's box, or (with `edge`) a point that a line passes through."""

    name: str
    edge: Edge | None = None


class Layout(Record):
    """`columns` of spots from top to bottom; `middles` is the height of each; `routes` the spots of a line."""

    columns: tuple[tuple[Spot, ...], ...]
    middles: dict[Spot, float]
    routes: dict[Edge, tuple[Spot, ...]]


def lay_out(graph: Dependencies, box: float, point: float, gap: float) -> Layout:
    """The layout, for boxes and points of such heights, so far apart. The graph has no circle."""
    depth = depths(graph)
    most = max(depth.values(), default=0)
    columns: list[list[Spot]] = [[] for _ in range(most + 1)]
    spots = {node.name: Spot(node.name) for node in graph.services}
    for name, spot in spots.items():
        columns[most - depth[name]].append(spot)
    routes: dict[Edge, tuple[Spot, ...]] = {}
    for edge in graph.edges:
        if edge.source not in spots or edge.target not in spots:
            continue
        between = range(most - depth[edge.source] + 1, most - depth[edge.target])
        points = [Spot(f"{edge.source}>{edge.target}>{at}", edge) for at in between]
        for at, one in zip(between, points, strict=True):
            columns[at].append(one)
        routes[edge] = (spots[edge.source], *points, spots[edge.target])
    near = neighbours(routes)
    order(columns, near)
    heights = {one: point if one.edge else box for column in columns for one in column}
    middles = place(columns, near, heights, gap)
    return Layout(tuple(map(tuple, columns)), middles, routes)


def depths(graph: Dependencies) -> dict[str, int]:
    """How many services, one waiting for the other, each has below it."""
    names = {node.name for node in graph.services}
    found: dict[str, int] = {}

    def deep(name: str) -> int:
        if name not in found:
            below = [deep(edge.target) for edge in graph.needs(name) if edge.target in names]
            found[name] = 1 + max(below, default=-1)
        return found[name]

    for name in sorted(names):
        deep(name)
    return found


def neighbours(routes: dict[Edge, tuple[Spot, ...]]) -> dict[Spot, list[Spot]]:
    """The spots that lines lead to from each, in the columns beside it."""
    found: dict[Spot, list[Spot]] = {}
    for route in routes.values():
        for one, other in pairwise(route):
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    return found


def order(columns: list[list[Spot]], near: dict[Spot, list[Spot]]) -> None:
    """Sort each column by the mean place of its spots' neighbours, to and fro."""
    place_of: dict[Spot, float] = {}

    def note(column: list[Spot]) -> None:
        place_of.update({one: row - (len(column) - 1) / 2 for row, one in enumerate(column)})

    def weight(one: Spot) -> tuple[float, str]:
        others = [place_of[other] for other in near.get(one, [])]
        return (sum(others) / len(others) if others else place_of[one], one.name)

    for column in columns:
        note(column)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            column.sort(key=weight)
            note(column)


def place(
    columns: list[list[Spot]], near: dict[Spot, list[Spot]], heights: dict[Spot, float], gap: float
) -> dict[Spot, float]:
    """The height of each spot's middle, the highest edge at 0."""
    middles: dict[Spot, float] = {}
    for column in columns:
        whole = sum(heights[one] + gap for one in column) - gap
        y = -whole / 2
        for one in column:
            middles[one] = y + heights[one] / 2
            y += heights[one] + gap
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            wished = {}
            for one in column:
                others = [middles[other] for other in near.get(one, [])]
                wished[one] = sum(others) / len(others) if others else middles[one]
            apart(column, wished, middles, heights, gap)
    top = min((middles[one] - heights[one] / 2 for one in middles), default=0.0)
    return {one: middle - top for one, middle in middles.items()}


def apart(
    column: list[Spot],
    wished: dict[Spot, float],
    middles: dict[Spot, float],
    heights: dict[Spot, float],
    gap: float,
) -> None:
    """Middles as near to the wishes as the order and the gaps allow: the mean of pushed down and pushed up."""

    def push(spots: list[Spot], sign: int) -> dict[Spot, float]:
        found: dict[Spot, float] = {}
        before: Spot | None = None
        for one in spots:
            value = sign * wished[one]
            if before is not None:
                least = found[before] + (heights[before] + heights[one]) / 2 + gap
                value = max(value, least)
            found[one] = value
            before = one
        return {one: sign * value for one, value in found.items()}

    down, up = push(column, 1), push(column[::-1], -1)
    for one in column:
        middles[one] = (down[one] + up[one]) / 2
