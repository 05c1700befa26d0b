"""Networks, endpoints and what is asked of them, as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class IpamConfig:
    """One subnet of a network; "" for what is not said."""

    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """What POST /networks/create asks for."""

    name: str
    driver: str = "bridge"
    internal: bool = False
    attachable: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam_driver: str = "default"
    ipam: tuple[IpamConfig, ...] = ()
    ipam_options: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    ingress: bool = False
    scope: str = ""
    config_only: bool = False
    config_from: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """A network that exists."""

    id: str
    name: str
    driver: str
    created_ns: int
    link: str = ""  # the bridge; the parent of a macvlan
    link_made: bool = True  # by us: it goes with the network
    internal: bool = False
    attachable: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam: tuple[IpamConfig, ...] = ()
    ipam_options: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    config_only: bool = False  # a pattern for others, on which nobody can be
    config_from: str = ""  # the name of its pattern

    @property
    def has_bridge(self) -> bool:
        """Whether its endpoints are veths on a bridge."""
        return self.driver in ("bridge", "overlay")

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Network:
        """The inverse of `to_json`."""
        ipam = tuple(IpamConfig(**config) for config in document["ipam"])
        return cls(**{**document, "ipam": ipam})


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """How a container wants to be on a network."""

    network: str
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()  # "container:alias"
    ipv4: str = ""
    ipv6: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac: str = ""
    gw_priority: int = 0
    driver_opts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PortRequest:
    """A port to publish: host port 0 is any free one; `host_port_end` makes it one of a range."""

    container_port: int
    protocol: str = "tcp"
    host_ip: str = ""
    host_port: int = 0
    host_port_end: int = 0


@dataclass(frozen=True, slots=True)
class PortBinding:
    """A port that is published; host port 0 is one of a routed network, open without NAT."""

    container_port: int
    protocol: str
    host_ip: str
    host_port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container on a network. A family that it has no address of is ""; prefix lengths go along."""

    network_id: str
    network_name: str
    endpoint_id: str
    container_id: str
    container_name: str
    ipv4: str
    prefix: int
    gateway: str
    mac: str
    interface: str
    veth: str
    ipv6: str = ""
    prefix6: int = 0
    gateway6: str = ""
    link_local_ips: tuple[str, ...] = ()
    gw_priority: int = 0
    sysctls: dict[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()
    ports: tuple[PortBinding, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses, IPv4 first."""
        return tuple(filter(None, (self.ipv4, self.ipv6)))

    def to_json(self) -> dict[str, Any]:
        """As it is stored; what is inside is shared, not copied (asdict would)."""
        document = {name: getattr(self, name) for name in self.__slots__}
        return {**document, "ports": tuple(asdict(port) for port in self.ports)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Endpoint:
        """The inverse of `to_json`."""
        keys = ("aliases", "dns_names", "links", "link_local_ips", "dns_servers")
        tuples = {key: tuple(document.get(key, ())) for key in keys}
        ports = tuple(PortBinding(**port) for port in document["ports"])
        return cls(**{**document, **tuples, "ports": ports})


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A container's network namespace that waits to be connected; descriptors stay the caller's."""

    container_id: str
    name: str
    hostname: str
    netns_fd: int
    endpoints: tuple[EndpointRequest, ...]
    dns_sockets: tuple[int, int] | None = None
    ports: tuple[PortRequest, ...] = ()
    dns_servers: tuple[str, ...] = ()
    project: str = ""  # of compose, for the messages of conflicts
    pid: int = 0  # of a process in the namespace
