"""Dependencies as an indented tree of text, from those that nobody waits for down."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.drawing.model import Dependencies, Edge


def tree(graph: Dependencies) -> str:
    """The tree; what was shown before is named again, and not unfolded."""
    lines = [graph.project]
    waited_for = {edge.target for edge in graph.edges}
    roots = [one.name for one in graph.services if one.name not in waited_for]
    known = {one.name: one for one in graph.services}
    shown: set[str] = set()

    def title(name: str) -> str:
        node = known.get(name)
        if node is None:
            return f"{name} (not in the project)"
        what = node.image or ("built" if node.built else "")
        more = [what] if what else []
        more += [f"{node.replicas} replicas"] if node.replicas != 1 else []
        more += [] if node.enabled else [f"profile {', '.join(node.profiles)}"]
        return name + (f"  [{', '.join(more)}]" if more else "")

    def below(name: str, indent: str) -> Iterator[str]:
        edges: list[Edge] = graph.needs(name)
        for number, edge in enumerate(edges):
            is_last = number == len(edges) - 1
            again = edge.target in shown and bool(graph.needs(edge.target))
            text = edge.target if again else title(edge.target)
            yield f"{indent}{'└── ' if is_last else '├── '}{text}  ({edge.words})" + (
                "  see above" if again else ""
            )
            if not again:
                shown.add(edge.target)
                yield from below(edge.target, indent + ("    " if is_last else "│   "))

    for number, root in enumerate(roots):
        is_last = number == len(roots) - 1
        lines.append(f"{'└── ' if is_last else '├── '}{title(root)}")
        lines += below(root, "    " if is_last else "│   ")
    return "\n".join(lines) + "\n"
