"""The three files of a container that name hosts: hosts, hostname, resolv.conf. Texts are pure."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from engine.containers.config import HostConfig

NAMES = ("hosts", "hostname", "resolv.conf")
DNS_ADDRESS = "127.0.0.11"
HOST_GATEWAY = "host-gateway"

_LOCAL = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("ff00::", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)


@dataclass(frozen=True, slots=True)
class HostEntry:
    """An address and the names for it."""

    address: str
    names: tuple[str, ...]


def hosts_text(own: Iterable[HostEntry], extra_hosts: Iterable[str], gateway: str) -> str:
    """/etc/hosts: the usual local names, extra hosts ("name:address" or "name=address"), one's own."""
    lines = [f"{address}\t{names}" for address, names in _LOCAL]
    for entry in extra_hosts:
        separator = "=" if "=" in entry else ":"
        name, _, address = entry.partition(separator)
        address = gateway if address == HOST_GATEWAY else address.strip("[]")
        if address:
            lines.append(f"{address}\t{name}")
    lines += [f"{entry.address}\t{' '.join(entry.names)}" for entry in own]
    return "\n".join(lines) + "\n"


def resolv_text(host: str, host_config: HostConfig, *, embedded: bool) -> str:
    """/etc/resolv.conf: our server where there is one, else what was asked for or the host's."""
    search = list(host_config.dns_search)
    options = list(host_config.dns_options)
    servers = list(host_config.dns)
    lines = [line.split() for line in host.splitlines()]
    if not search:
        search = [
            word
            for fields in lines
            if fields[:1] in (["search"], ["domain"])
            for word in fields[1:]
        ]
    if not options:
        options = [word for fields in lines if fields[:1] == ["options"] for word in fields[1:]]
        if embedded:  # names of one word are ours: nobody is to try them with a search domain first
            options = [option for option in options if not option.startswith("ndots:")]
    if embedded:
        servers = [DNS_ADDRESS]
        if not any(option.startswith("ndots:") for option in options):
            options.append("ndots:0")
    elif not servers:
        servers = [
            fields[1] for fields in lines if fields[:1] == ["nameserver"] and len(fields) > 1
        ]
    search = [] if search == ["."] else search
    text = "".join(f"nameserver {server}\n" for server in servers)
    text += f"search {' '.join(search)}\n" if search else ""
    return text + (f"options {' '.join(options)}\n" if options else "")


def write_in_place(folder: Path, name: str, text: str | bytes, mode: int = 0o644) -> None:
    """Write a file that is bind-mounted: the same inode, so those inside see it change."""
    content = text if isinstance(text, bytes) else text.encode()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    fd = os.open(f"{folder}/{name}", flags, mode)
    try:
        while content:
            content = content[os.write(fd, content) :]
    finally:
        os.close(fd)


def host_resolv_conf() -> str:
    """The host's resolv.conf; of a stub resolver's, the one it forwards to."""
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        try:
            with open(path, "rb") as stream:
                text = stream.read().decode(errors="replace")
        except OSError:
            continue
        if "nameserver 127.0.0.53" not in text:
            return text
    return ""
