"""What dead engines have left on the host: found by their mark, removed once nobody can need it.

The worker of a live engine holds a socket of an abstract name that carries the engine's id (unix(7)).
Such names belong to a network namespace, as links and tables do, and end with the process. Rules:
- who holds an engine's name has its links and tables to itself; the engine waits for it when it starts;
- a bridge with a container's veth on it stays, and the engine's table with it: containers outlive engines;
- a table without our comment is of an engine that held no name: it is left alone.
"""

from __future__ import annotations

import errno
import re
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

from networking.linux import links, nft, ruleset
from networking.linux.endpoints import delete_link

if TYPE_CHECKING:
    from networking.linux.links import Link
    from networking.linux.netlink import Route

#: A table's name, and the alias of every bridge of the same engine.
_OWNER = re.compile(r"pycompose-[0-9a-f]{12}")
#: Seconds that an engine waits for its name: another one may just be looking through what is left.
PATIENCE = 3.0


def take_name(table: str, patience: float = 0.0) -> socket.socket | None:
    """The name of the engine whose table this is, held while the socket is open; None if it is taken."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    deadline = time.monotonic() + patience
    while True:
        try:
            holder.bind(f"\0{table}")
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.005)  # no event tells that a name is free again
                continue
            holder.close()
            if error.errno != errno.EADDRINUSE:
                raise
            return None
        return holder


def sweep_dead(route: Route, tables: nft.Tables, own: str) -> list[str]:
    """Remove what engines other than `own` have left that are dead; names of links and tables removed."""
    known = nft.described_tables()
    foreign = {table.name for table in known if table.comment != ruleset.COMMENT}
    owners = {table.name for table in known} | {link.alias for link in links.all_links(route)}
    gone: list[str] = []
    for owner in sorted(filter(_OWNER.fullmatch, owners - foreign - {own})):
        held = take_name(owner)
        if held is not None:
            with closing(held):
                gone += _sweep(route, tables, owner)
    return gone


def _sweep(route: Route, tables: nft.Tables, owner: str) -> list[str]:
    """Under the owner's name: bridges without containers, and the rules when no bridge is left."""
    present = links.all_links(route)
    own = [link for link in present if link.alias == owner]
    carriers = [link for link in own if link.kind == "vxlan"]
    unused = [
        link
        for link in own
        if link.kind == "bridge" and not _on(link, [p for p in present if p not in carriers])
    ]
    going = [*(port for bridge in unused for port in _on(bridge, carriers)), *unused]
    for link in going:
        delete_link(route, link.name)
    gone = [link.name for link in going]
    if len(going) == len(own) and owner in {table.name for table in nft.described_tables()}:
        tables.forget(ruleset.destroy(owner))
        gone.append(f"table {owner}")
    return gone


def _on(bridge: Link, candidates: list[Link]) -> list[Link]:
    return [link for link in candidates if link.master == bridge.index]
