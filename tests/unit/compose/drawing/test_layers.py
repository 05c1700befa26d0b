"""Layouts: no box upon another, every line from left to right, whatever the graph."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from compose.drawing.layers import depths, lay_out
from compose.drawing.model import Dependencies, Edge, ServiceNode

BOX, POINT, GAP = 50.0, 10.0, 20.0


@st.composite
def graphs(draw: st.DrawFn) -> Dependencies:
    """Services whose dependencies go one way, so that there is no circle."""
    count = draw(st.integers(1, 12))
    pairs = [(i, j) for i in range(count) for j in range(i)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []
    nodes = tuple(ServiceNode(f"s{number:02}") for number in range(count))
    return Dependencies("p", nodes, tuple(Edge(f"s{i:02}", f"s{j:02}") for i, j in chosen))


@given(graphs())
def test_boxes_lie_apart_and_lines_go_right(graph: Dependencies) -> None:
    layout = lay_out(graph, BOX, POINT, GAP)
    heights = {one: POINT if one.edge else BOX for column in layout.columns for one in column}
    for column in layout.columns:
        for one, other in pairwise(column):
            least = (heights[one] + heights[other]) / 2 + GAP
            assert layout.middles[other] - layout.middles[one] >= least - 0.01
    assert min(layout.middles[one] - heights[one] / 2 for one in layout.middles) > -0.01
    at = {one: number for number, column in enumerate(layout.columns) for one in column}
    assert set(layout.routes) == set(graph.edges)
    for edge, route in layout.routes.items():
        assert (route[0].name, route[-1].name) == (edge.source, edge.target)
        assert [at[one] for one in route] == list(range(at[route[0]], at[route[-1]] + 1))


def test_depth_is_the_longest_way() -> None:
    nodes = tuple(map(ServiceNode, "abc"))
    graph = Dependencies("p", nodes, (Edge("a", "b"), Edge("b", "c"), Edge("a", "c")))
    assert depths(graph) == {"c": 0, "b": 1, "a": 2}
