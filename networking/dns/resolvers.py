"""The host's name servers, looked at again when its resolv.conf changes (a VPN comes, a lease is new)."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RESOLV_CONF = "/etc/resolv.conf"
#: Seconds between two looks.
INTERVAL = 1.0


def name_servers(text: str) -> tuple[str, ...]:
    """The servers of a resolv.conf, IPv6 ones with their zone (resolv.conf(5))."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 1 and fields[0] == "nameserver":
            try:
                found.append(str(ip_address(fields[1])))
            except ValueError:
                continue
    return tuple(dict.fromkeys(found))


class HostResolvers:
    """The name servers of a file, as fresh as INTERVAL."""

    def __init__(
        self, clock: Callable[[], float], changed: Callable[[], None], path: str = RESOLV_CONF
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._path = path
        self._looked = float("-inf")
        self._mark: object = None
        self._servers: tuple[str, ...] = ()

    def servers(self) -> tuple[str, ...]:
        """Whom to ask now."""
        now = self._clock()
        if now - self._looked >= INTERVAL:
            self._looked = now
            self._look()
        return self._servers

    def _look(self) -> None:
        try:
            facts = os.stat(self._path)
            mark = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
            if mark == self._mark:
                return
            with open(self._path, errors="replace") as stream:
                servers = name_servers(stream.read(1 << 16))
        except OSError:
            mark, servers = None, ()
        if servers != self._servers:
            self._servers = servers
            self._changed()
        self._mark = mark
