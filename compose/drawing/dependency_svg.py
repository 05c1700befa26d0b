"""Dependencies as an SVG: who waits on the left, whom it waits for on the right, conditions on the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.drawing.layers import lay_out
from compose.drawing.svg import (
    box,
    cut,
    document,
    element,
    number,
    path,
    text,
    width_of,
)  # fmt: skip

if TYPE_CHECKING:
    from compose.drawing.layers import Layout, Spot
    from compose.drawing.model import Dependencies, Edge, ServiceNode

    Places = dict[Spot, tuple[float, float]]

WIDTH, HEIGHT = 196.0, 54.0
GAP_X, GAP_Y, MARGIN, TOP = 128.0, 26.0, 32.0, 64.0
COLOURS = {
    "service_started": "#94a3b8", "service_healthy": "#16a34a",
    "service_completed_successfully": "#2563eb",
}  # fmt: skip


def dependency_svg(graph: Dependencies) -> str:
    """The picture."""
    layout = lay_out(graph, HEIGHT, 18, GAP_Y)
    lowest = max((y + (0 if one.edge else HEIGHT / 2) for one, y in layout.middles.items()), default=0)  # fmt: skip
    height = TOP + lowest + 72
    width = MARGIN * 2 + len(layout.columns) * (WIDTH + GAP_X) - GAP_X
    left = {
        spot: MARGIN + at * (WIDTH + GAP_X)
        for at, column in enumerate(layout.columns)
        for spot in column
    }
    places = {spot: (left[spot], TOP + layout.middles[spot]) for spot in left}
    parts = [text(MARGIN, 36, graph.project, "head"), markers()]
    parts += [line(edge, layout, places) for edge in layout.routes]
    parts += [words(edge, layout, places) for edge in layout.routes]
    boxes = {spot.name: place for spot, place in places.items() if spot.edge is None}
    parts += [card(node, boxes[node.name][0], boxes[node.name][1] - HEIGHT / 2) for node in graph.services]  # fmt: skip
    parts.append(legend(height - 20))
    return document(max(width, 500), height, f"{graph.project}: dependencies", parts)


def markers() -> str:
    """An arrow's head for each condition."""
    heads = "".join(
        element(
            "marker", element("path", d="M0 0 L8 4 L0 8 z", fill=colour), id=f"to-{name}",
            viewBox="0 0 8 8", refX=7, refY=4, markerWidth=7, markerHeight=7, orient="auto",
        )
        for name, colour in COLOURS.items()
    )  # fmt: skip
    return element("defs", heads)


def end_of(edge: Edge, layout: Layout, places: Places, *, source: bool) -> float:
    """The height at which a line touches a box: its lines are spread along the side, in their order."""
    side = "source" if source else "target"
    mine = [one for one in layout.routes if getattr(one, side) == getattr(edge, side)]
    far = 1 if source else -2
    mine.sort(key=lambda one: places[layout.routes[one][far]][1])
    share = (mine.index(edge) + 1) / (len(mine) + 1)
    return places[layout.routes[edge][0 if source else -1]][1] + HEIGHT * (share - 0.5)


def line(edge: Edge, layout: Layout, places: Places) -> str:
    """The line of a dependency: around the boxes of the columns that it crosses."""
    first, *points, last = layout.routes[edge]
    x, y = places[first][0] + WIDTH, end_of(edge, layout, places, source=True)
    steps = f"M{number(x)} {number(y)}"
    stops = [(*places[point], places[point][0] + WIDTH) for point in points]
    stops.append((places[last][0] - 2, end_of(edge, layout, places, source=False), 0))
    for left, height, right in stops:
        bend = (left - x) / 2
        steps += f" C{number(x + bend)} {number(y)} {number(left - bend)} {number(height)} {number(left)} {number(height)}"  # fmt: skip
        steps += f" H{number(right)}" if right else ""
        x, y = right or left, height
    colour = COLOURS.get(edge.condition, "#94a3b8")
    name = edge.condition if edge.condition in COLOURS else "service_started"
    kind = "wire" + ("" if edge.required else " off")
    return path(steps, kind, stroke=colour, marker_end=f"url(#to-{name})")


def words(edge: Edge, layout: Layout, places: Places) -> str:
    """What it waits for, near the end of the line, where lines lie apart."""
    x = places[layout.routes[edge][-1]][0]
    y = end_of(edge, layout, places, source=False)
    return text(x - 14, y - 5, edge.words, "small halo", text_anchor="end")


def card(node: ServiceNode, x: float, y: float) -> str:
    """A service's box."""
    room = WIDTH - 28
    image = node.image or ("from a Dockerfile" if node.built else "no image")
    parts = [
        box(x, y, WIDTH, HEIGHT, "card" + ("" if node.enabled else " off")),
        text(x + 14, y + 23, cut(node.name, room - 30, 15), "title"),
        text(x + 14, y + 41, cut(image, room), "small"),
    ]
    if node.replicas != 1:
        parts.append(text(x + WIDTH - 12, y + 23, f"x{node.replicas}", "small", text_anchor="end"))
    if not node.enabled:
        label = f"profile {', '.join(node.profiles)}"
        parts.append(text(x + WIDTH - 12, y + HEIGHT + 13, label, "small", text_anchor="end"))
    return element("g", "".join(parts))


def legend(y: float) -> str:
    """What the colours mean."""
    x = MARGIN
    parts: list[str] = []
    for name, said in (("service_started", "started"), ("service_healthy", "healthy"), ("service_completed_successfully", "completed")):  # fmt: skip
        parts.append(path(f"M{number(x)} {number(y - 4)} h22", "wire", stroke=COLOURS[name]))
        parts.append(text(x + 28, y, f"waits until {said}", "small"))
        x += 28 + width_of(f"waits until {said}") + 18
    return "".join(parts)
