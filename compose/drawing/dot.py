"""Graphviz: dependencies, networks, and docker compose's own picture of `alpha viz`."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.drawing.model import Dependencies, NetworkMap

STYLES = {
    "service_started": "solid", "service_healthy": "bold", "service_completed_successfully": "dashed",
}  # fmt: skip
NODE = 'node [shape=box, style="rounded,filled", fillcolor="#eef2ff", color="#6366f1", fontname="sans-serif"];'  # fmt: skip


def quoted(text: str) -> str:
    """A text as an ID of the language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def dependencies(graph: Dependencies) -> str:
    """Boxes, and an arrow from who waits to whom it waits for, labelled with the condition."""
    lines = [f"digraph {quoted(graph.project)} {{", "  rankdir=LR;", f"  {NODE}"]
    for node in graph.services:
        label = node.name + (f"\n{node.image}" if node.image else "")
        label += f"\nx {node.replicas}" if node.replicas != 1 else ""
        more = "" if node.enabled else ', style="rounded,dashed"'
        lines.append(f"  {quoted(node.name)} [label={quoted(label)}{more}];")
    lines += [
        f"  {quoted(edge.source)} -> {quoted(edge.target)} "
        f"[label={quoted(edge.words)}, style={STYLES.get(edge.condition, 'solid')}];"
        for edge in graph.edges
    ]
    return "\n".join([*lines, "}"]) + "\n"


def networks(picture: NetworkMap) -> str:
    """Services as boxes, networks as ellipses, volumes as cylinders, published ports as houses."""
    lines = [
        f"graph {quoted(picture.project)} {{",
        "  layout=fdp;",
        "  overlap=false;",
        f"  {NODE}",
    ]
    for network in picture.networks:
        label = "\n".join(
            [network.key, *network.subnets, *(["internal"] if network.internal else [])]
        )
        lines.append(
            f"  {quoted('network ' + network.name)} [label={quoted(label)}, shape=ellipse, "
            'fillcolor="#ecfdf5", color="#10b981"];'
        )
    lines += [
        f"  {quoted('volume ' + volume)} [label={quoted(volume)}, shape=cylinder, "
        'fillcolor="#fffbeb", color="#f59e0b"];'
        for volume in picture.volumes
    ]
    for card in picture.services:
        label = "\n".join([card.name, *([card.image] if card.image else []), card.state])
        lines.append(f"  {quoted(card.name)} [label={quoted(label)}];")
        for name in card.networks:
            addresses = [a for one in card.containers for a in one.addresses.get(name, ())]
            end = quoted("network " + name)
            lines.append(f"  {quoted(card.name)} -- {end} [label={quoted(chr(10).join(addresses))}];")  # fmt: skip
        for port in card.ports:
            lines.append(f"  {quoted(port)} [shape=house, fillcolor=white];")
            lines.append(f"  {quoted(port)} -- {quoted(card.name)};")
        lines += [
            f"  {quoted(card.name)} -- {quoted('volume ' + mount.name)} [label={quoted(mount.target)}, style=dashed];"
            for mount in card.mounts
            if mount.kind == "volume"
        ]
    return "\n".join([*lines, "}"]) + "\n"


def viz(
    project: str,
    services: Iterable[tuple[str, list[tuple[str, list[str]]]]],
    edges: Iterable[tuple[str, str]],
    indent: str,
) -> str:
    """docker compose's `alpha viz`: `services` with what is told of each, as (title, lines)."""
    lines = [f'digraph "{project}" {{', f"{indent}layout=dot;"]
    for name, facts in services:
        label = f'<font point-size="15">{escape(name)}</font>'
        for title, texts in facts:
            said = "".join(f"<br/>{escape(text)}" for text in texts)
            label += f'<font point-size="10"><br/><br/><b>{title}:</b>{said}</font>'
        lines.append(f'{indent}"{name}" [style="filled" label=<{label}>];')
    lines.append("")
    lines += [f'{indent}"{source}" -> "{target}";' for source, target in edges]
    return "\n".join([*lines, "}"]) + "\n"
