"""What an engine could leave behind on a host, read from the kernel without any tool."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Traces:
    """Processes, mounts, links, cgroups, namespaces and nft tables of one moment."""

    processes: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    cgroups: frozenset[str]
    tables: frozenset[str]

    @classmethod
    def now(cls) -> Traces:
        """Look at the machine as it is."""
        return cls(
            frozenset(our_processes()),
            frozenset(mounts()),
            frozenset(name for _, name in socket.if_nameindex()),
            frozenset(str(path) for path in Path("/sys/fs/cgroup").glob("*/pycompose-*")),
            frozenset(nft_tables()),
        )

    def beyond(self, before: Traces) -> list[str]:
        """What is here now and was not before, in words."""
        return [
            f"{kind}: {thing}"
            for kind in ("processes", "mounts", "links", "cgroups", "tables")
            for thing in sorted(getattr(self, kind) - getattr(before, kind))
        ]


def our_processes() -> list[str]:
    """Engines, fork servers, monitors, workers, and whatever lives in another pid namespace."""
    found = []
    own = os.readlink("/proc/self/ns/pid")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            elsewhere = os.readlink(folder / "ns/pid") != own
        except OSError:
            continue
        if elsewhere or any(
            w in words for w in ("engine.processes", "-m engine", "networking.", "pycompose-")
        ):
            found.append(f"{folder.name} {words.strip()[:120]}")
    return found


def mounts() -> list[str]:
    """Mount points of this mount namespace."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines]


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
