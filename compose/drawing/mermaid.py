"""Mermaid: dependencies and networks, for Markdown that draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.drawing.model import Dependencies, NetworkMap

ARROWS = {
    "service_started": "-->", "service_healthy": "==>", "service_completed_successfully": "-.->",
}  # fmt: skip


def label(text: str) -> str:
    """A text in quotes; what would end it, or be markup, is written as an entity."""
    for mark, entity in (("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(mark, entity)
    return '"' + text.replace("\n", "<br/>") + '"'


def dependencies(graph: Dependencies) -> str:
    """A flowchart from left to right."""
    ids = {node.name: f"s{number}" for number, node in enumerate(graph.services)}
    lines = ["flowchart LR"]
    for node in graph.services:
        text = node.name + (f"\n{node.image}" if node.image else "")
        text += f"\nx {node.replicas}" if node.replicas != 1 else ""
        lines.append(f"  {ids[node.name]}({label(text)}){'' if node.enabled else ':::off'}")
    lines += [
        f"  {ids[edge.source]} {ARROWS.get(edge.condition, '-->')}|{label(edge.words)}| {ids[edge.target]}"
        for edge in graph.edges
        if edge.target in ids
    ]
    return "\n".join([*lines, "  classDef off stroke-dasharray: 4 4"]) + "\n"


def networks(picture: NetworkMap) -> str:
    """Services, networks, volumes and the host's ports."""
    lines = ["flowchart TB"]
    ids: dict[str, str] = {}
    for number, card in enumerate(picture.services):
        ids[card.name] = f"s{number}"
        text = "\n".join(filter(None, (card.name, card.image, card.state)))
        lines.append(f"  s{number}({label(text)})")
    ports = [(port, card.name) for card in picture.services for port in card.ports]
    if ports:
        lines.append("  host[/host\\]")
    lines += [f"  host --> |{label(port)}| {ids[name]}" for port, name in ports]
    for number, network in enumerate(picture.networks):
        text = "\n".join([network.key, *network.subnets, *(["internal"] if network.internal else [])])  # fmt: skip
        lines.append(f"  n{number}([{label(text)}]):::network")
        for card in picture.services:
            if network.name in card.networks:
                addresses = [
                    a for one in card.containers for a in one.addresses.get(network.name, ())
                ]
                said = ", ".join(addresses)
                lines.append(f"  {ids[card.name]} ---{f'|{label(said)}|' if said else ''} n{number}")  # fmt: skip
    for number, volume in enumerate(picture.volumes):
        lines.append(f"  v{number}[({label(volume)})]:::volume")
        lines += [
            f"  {ids[card.name]} -.- |{label(mount.target)}| v{number}"
            for card in picture.services
            for mount in card.mounts
            if mount.kind == "volume" and mount.name == volume
        ]
    lines += ["  classDef network fill:#ecfdf5,stroke:#10b981,color:#064e3b"]
    lines += ["  classDef volume fill:#fffbeb,stroke:#f59e0b,color:#78350f"]
    return "\n".join(lines) + "\n"
