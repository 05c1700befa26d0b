"""The project's networks, and a service's place on one."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class IpamPool(Record):
    """One subnet of a network; "" for what is not said."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux_addresses: Mapping[str, str] = EMPTY


class Network(Record):
    """A network of the project; `key` is its name in the file, `name` the engine's."""

    key: str
    name: str
    external: bool = False
    driver: str = ""
    driver_opts: Mapping[str, str] = EMPTY
    attachable: bool = False
    internal: bool = False
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    ipam_driver: str = ""
    ipam_options: Mapping[str, str] = EMPTY
    ipam_pools: tuple[IpamPool, ...] = ()
    labels: Mapping[str, str] = EMPTY
    document: Mapping[str, Any] = EMPTY


class ServiceNetwork(Record):
    """A service's place on one of the project's networks."""

    aliases: tuple[str, ...] = ()
    interface_name: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    gw_priority: int = 0
    priority: int = 0
    driver_opts: Mapping[str, str] = EMPTY
