"""What the host has already: its routes with their links, and links that the kernel has yet to remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from networking.linux import links
from networking.linux.netlink import Route

if TYPE_CHECKING:
    from networking.ipam import Block


#: Wider routes lead "everywhere", as default ones do: VPNs take all traffic by halves (0.0.0.0/1 and
#: 128.0.0.0/1; for IPv6 ::/3, 2000::/4, 3000::/4 and fc00::/7) so as to leave the default route be.
_NARROWEST_DEFAULT = {4: 1, 6: 7}


def host_routes() -> dict[Block, str]:
    """The host's routes of all tables, but for those to everywhere, in words of whom they are."""
    route = Route()
    try:
        names = {link.index: link for link in links.all_links(route)}
        found: dict[Block, str] = {}
        for network, index in links.all_routes(route):
            if network.prefixlen <= _NARROWEST_DEFAULT[network.version]:
                continue
            link = names.get(index)
            words = f"route of {link.name}" if link else "route of the host"
            if link and link.alias:
                words += f", {link.alias}"
            found.setdefault(network, words)
        return found
    finally:
        route.close()


def has_link(name: str) -> bool:
    """Whether the host has a link of that name."""
    route = Route()
    try:
        return any(link.name == name for link in links.all_links(route))
    finally:
        route.close()


async def wait_unused(bridge: str, veth_prefix: str, patience: float = 3.0) -> bool:
    """Wait until no veth is on a bridge: the kernel takes dead namespaces' veths away a moment late.

    False if one is there after `patience` seconds still.
    """
    with trio.move_on_after(patience):
        # In a thread: the kernel answers when it has done what it is at, which is those veths. And it
        # tells of their end only those who listen all the time.
        while await trio.to_thread.run_sync(_has_ports, bridge, veth_prefix):  # noqa: ASYNC110
            await trio.sleep(0.005)
        return True
    return False


def _has_ports(bridge: str, veth_prefix: str) -> bool:
    route = Route()
    try:
        found = links.all_links(route)
    finally:
        route.close()
    indexes = {link.index for link in found if link.name == bridge}
    return any(link.master in indexes and link.name.startswith(veth_prefix) for link in found)
