"""What an engine could leave behind on a host, read from the kernel without any tool."""

from __future__ import annotations

import os
import socket
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Traces:
    """Processes, mounts, links, cgroups and nft tables that belong to one engine."""

    processes: tuple[str, ...]
    mounts: tuple[str, ...]
    links: tuple[str, ...]
    cgroups: tuple[str, ...]
    tables: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, *engine_ids: str) -> Traces:
        """What is here of the engine that lives in `folder`; other engines' things are not looked at.

        Its id is read from its database, or told where there is none.
        """
        ids = (*engine_ids, *ids_of_engines(folder))
        return cls(
            tuple(processes(folder, ids)),
            tuple(line for line in mounts() if str(folder) in line),
            tuple(name for _, name in socket.if_nameindex() if is_of(name, ids)),
            tuple(cgroups(ids)),
            tuple(name for name in nft_tables() if name in {f"pycompose-{one}" for one in ids}),
        )

    def words(self) -> list[str]:
        """All of it, a thing a line."""
        return [
            f"{kind}: {thing}"
            for kind in ("processes", "mounts", "links", "cgroups", "tables")
            for thing in getattr(self, kind)
        ]


def cgroups(ids: tuple[str, ...]) -> list[str]:
    """The folders of engines in every hierarchy; others come and go while we look."""
    names = {f"pycompose-{name}" for name in ids}
    return [
        f"{path}/{name}"
        for path, folders, _ in os.walk("/sys/fs/cgroup")
        for name in folders
        if name in names
    ]


def ids_of_engines(folder: Path) -> list[str]:
    """The ids by which the engine in `folder` names its cgroups, tables and links."""
    found = []
    for path in folder.glob("*/engine.db"):
        with closing(sqlite3.connect(path)) as database:
            found += database.execute("SELECT value FROM engine WHERE key = 'id'").fetchall()
    return [str(row[0]) for row in found]


def is_of(link: str, ids: tuple[str, ...]) -> bool:
    """Whether a link is one of these engines': a bridge by its alias, a veth by its name."""
    try:
        alias = Path(f"/sys/class/net/{link}/ifalias").read_text().strip()
    except OSError:
        return False
    return any(alias == f"pycompose-{one}" or link.startswith(f"ve{one[:4]}") for one in ids)


def processes(folder: Path, ids: tuple[str, ...]) -> list[str]:
    """Who has the folder or the ids in its environment, arguments, or among its mounts."""
    marks = [os.fsencode(str(folder)), *(f"pycompose-{one}".encode() for one in ids)]
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        if int(place.name) in (os.getpid(), os.getppid()):
            continue
        try:
            words = (place / "cmdline").read_bytes()
            known = (place / "environ").read_bytes() + words
            if os.readlink(place / "ns/mnt") != os.readlink("/proc/self/ns/mnt"):
                known += (place / "mountinfo").read_bytes()
        except OSError:
            continue
        if any(mark in known for mark in marks):
            text = words.replace(b"\0", b" ").decode(errors="replace").strip()
            found.append(f"{place.name} {text[:120]}")
    return found


def mounts() -> list[str]:
    """Lines of this mount namespace's mountinfo."""
    return Path("/proc/self/mountinfo").read_text().splitlines()


def nft_tables() -> list[str]:
    """Names of all nftables tables (NFT_MSG_GETTABLE dump over NETLINK_NETFILTER)."""
    names: list[str] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        body = struct.pack("=BBH", 0, 0, 0)
        head = struct.pack("=IHHII", 16 + len(body), (10 << 8) | 1, 0x301, 1, 0)
        netlink.send(head + body)
        while True:
            data = netlink.recv(1 << 16)
            while len(data) >= 16:
                size, kind = struct.unpack_from("=IH", data)
                if kind in (2, 3):
                    return names
                names += table_names(data[20:size])
                data = data[(size + 3) & ~3 :]


def table_names(attributes: bytes) -> list[str]:
    """NFTA_TABLE_NAME (1) out of a message's attributes."""
    found = []
    while len(attributes) >= 4:
        size, kind = struct.unpack_from("=HH", attributes)
        if kind & 0x3FFF == 1:
            found.append(attributes[4:size].rstrip(b"\0").decode())
        attributes = attributes[(size + 3) & ~3 :]
    return found
