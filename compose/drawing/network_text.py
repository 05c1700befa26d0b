"""The running project's networks as text: each network with who is on it, then ports and volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.drawing.model import NetworkMap


def network_text(picture: NetworkMap) -> str:
    """An indented list."""
    lines = [picture.project]
    for network in picture.networks:
        facts = [network.driver, *network.subnets, *(["internal"] if network.internal else [])]
        lines.append(f"├── network {network.key}  [{', '.join(filter(None, facts))}]")
        members = [
            (one.name, ", ".join(one.addresses.get(network.name, ())), card.state)
            for card in picture.services
            if network.name in card.networks
            for one in card.containers
        ]
        for at, (name, address, state) in enumerate(members):
            mark = "└──" if at == len(members) - 1 else "├──"
            lines.append(f"│   {mark} {name}  {address or '-'}  ({state})")
    lines += [f"├── {card.name} is on {card.mode}" for card in picture.services if card.mode]
    lines += [f"├── port {port}  {card.name}" for card in picture.services for port in card.ports]
    for volume in picture.volumes:
        users = [
            f"{card.name}:{mount.target}"
            for card in picture.services
            for mount in card.mounts
            if mount.kind == "volume" and mount.name == volume
        ]
        lines.append(f"├── volume {volume}  {', '.join(users)}")
    last = max(at for at, line in enumerate(lines) if line.startswith("├") or at == 0)
    lines[last] = lines[last].replace("├", "└", 1)
    lines[last + 1 :] = [line.replace("│", " ", 1) for line in lines[last + 1 :]]
    return "\n".join(lines) + "\n"
