"""What the host has already: its routes, its links, its name servers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import trio


def host_routes() -> dict[IPv4Network, str]:
    """The host's IPv4 routes with their links, but for the default one (/proc/net/route)."""
    routes = {}
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        mask = int(fields[7], 16).bit_count()
        if mask:
            address = IPv4Address(int(fields[1], 16).to_bytes(4, "little"))
            routes[IPv4Network((address, mask), strict=False)] = f"route of {fields[0]}"
    return routes


def host_resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The IPv4 name servers of the host's resolv.conf."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return ()
    servers = [
        fields[1]
        for fields in map(str.split, lines)
        if len(fields) > 1 and fields[0] == "nameserver"
    ]
    return tuple(server for server in servers if ":" not in server)


async def wait_unused(bridge: str, patience: float = 3.0) -> None:
    """Wait until no link is on a bridge: the kernel takes dead namespaces' veths away a moment late.

    Returns after `patience` seconds in any case.
    """
    with trio.move_on_after(patience):
        while _has_ports(bridge):  # noqa: ASYNC110  # the kernel tells, but only who listens all the time
            await trio.sleep(0.005)


def _has_ports(bridge: str) -> bool:
    folder = Path("/sys/class/net", bridge, "brif")
    return folder.exists() and any(folder.iterdir())
