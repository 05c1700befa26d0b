"""A service's networks, ports and links -> NetworkMode, endpoints, bindings; networks' own bodies. Pure."""

from __future__ import annotations

from compose.errors import ProjectError
from compose.model import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from compose.model.network import Network
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.model.volume import Volume

#: From this version on a container is created with all its networks at once.
MANY_ENDPOINTS = (1, 44)
INTERFACE_NAMES = (1, 49)


def networks_by_priority(service: Service) -> list[str]:
    """Keys of the service's networks, the one of highest priority first, then by name."""
    return sorted(service.networks, key=lambda key: (-service.networks[key].priority, key))


def endpoint(
    service: Service, key: str, aliases: Sequence[str], links: Sequence[str]
) -> dict[str, Any]:
    """EndpointSettings for one network. `aliases` are those that go without saying."""
    config = service.networks.get(key)
    body: dict[str, Any] = {"Aliases": list(dict.fromkeys(aliases))}
    if links:
        body["Links"] = list(links)
    if config is None:
        return body
    body["Aliases"] = list(dict.fromkeys([*aliases, *config.aliases]))
    addresses = {
        "IPv4Address": config.ipv4_address,
        "IPv6Address": config.ipv6_address,
        "LinkLocalIPs": list(config.link_local_ips),
    }
    addresses = {name: value for name, value in addresses.items() if value}
    options = dict(config.driver_opts)
    if config.interface_name:
        options["com.docker.network.endpoint.ifname"] = config.interface_name
    extra = {
        "IPAMConfig": addresses,
        "MacAddress": config.mac_address,
        "DriverOpts": options,
        "GwPriority": config.gw_priority,
    }
    return body | {name: value for name, value in extra.items() if value}


def network_keys(
    project: Project,
    service: Service,
    aliases: Sequence[str],
    links: Sequence[str],
    version: tuple[int, int],
) -> tuple[str, dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """(NetworkMode, EndpointsConfig, networks to connect after creation: (name, endpoint)).

    Raises ProjectError for what an engine of this version cannot do.
    """
    keys = networks_by_priority(service)
    if not keys:
        return "none", {}, []
    if version < INTERFACE_NAMES:
        for key in keys:
            if service.networks[key].interface_name:
                raise ProjectError(
                    f"services.{service.name}.networks.{key}.interface_name: "
                    "interface_name requires Docker Engine v28.1 or later"
                )
    named = {key: project.networks[key].name for key in keys}
    ends = {key: endpoint(service, key, aliases, links) for key in keys}
    first = keys[0]
    if version >= MANY_ENDPOINTS:
        if service.mac_address:
            ends[first].setdefault("MacAddress", service.mac_address)
        return named[first], {named[key]: ends[key] for key in keys}, []
    return (
        named[first],
        {named[first]: ends[first]},
        [(named[key], ends[key]) for key in keys[1:]],
    )


def container_mac(service: Service, version: tuple[int, int]) -> str:
    """The container-wide MacAddress, which engines before 1.44 know. Raises ProjectError."""
    keys = networks_by_priority(service)
    main = service.networks[keys[0]].mac_address if keys else ""
    if service.mac_address and main and main != service.mac_address:
        raise ProjectError(
            f"services.{service.name}.mac_address: the service-level mac_address should have "
            f"the same value as network {keys[0]}"
        )
    if version >= MANY_ENDPOINTS:
        return ""
    given = [key for key in keys if service.networks[key].mac_address]
    if len(given) > 1:
        raise ProjectError(
            f"services.{service.name}: a MAC address is specified for multiple networks "
            f"({', '.join(given)}), but this feature requires Docker Engine v25 or later"
        )
    return main or service.mac_address


def exposed_ports(service: Service) -> dict[str, dict[str, str]]:
    """ExposedPorts: what is exposed or published."""
    exposed = [port if "/" in port else f"{port}/tcp" for port in service.expose]
    exposed += [f"{port.target}/{port.protocol}" for port in service.ports]
    return {port: {} for port in exposed}


def port_bindings(service: Service) -> dict[str, list[dict[str, str]]]:
    """PortBindings: what is published, and where."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in service.ports:
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(
            {"HostIp": port.host_ip, "HostPort": port.published}
        )
    return bindings


def link_list(
    project: Project, service: Service, peers: Mapping[str, Sequence[tuple[str, str]]], number: int
) -> list[str]:
    """Links as "container:alias"; `peers` are the containers (name, id) of each service."""
    found: list[str] = []
    for link in service.links:
        name, _, alias = link.partition(":")
        for container, _ in peers.get(name, ()):
            numbered = f"{name}{project.separator}{number}"
            aliases = (alias or name, numbered, project.name_of(name, str(number)))
            found += [f"{container}:{known_as}" for known_as in aliases]
    for link in service.external_links:
        name, _, alias = link.partition(":")
        found.append(f"{name}:{alias or name}")
    return found


def network_body(project: Project, network: Network, config_hash: str) -> dict[str, Any]:
    """The body of POST /networks/create."""
    pools = [
        {
            key: value
            for key, value in (
                ("Subnet", pool.subnet),
                ("IPRange", pool.ip_range),
                ("Gateway", pool.gateway),
                ("AuxiliaryAddresses", dict(pool.aux_addresses)),
            )
            if value
        }
        for pool in network.ipam_pools
    ]
    own = {
        labels.NETWORK: network.key,
        labels.PROJECT: project.name,
        labels.VERSION: labels.COMPATIBLE_VERSION,
        labels.CONFIG_HASH: config_hash,
    }
    body: dict[str, Any] = {
        "Name": network.name,
        "CheckDuplicate": True,
        "Labels": {**network.labels, **own},
        "Driver": network.driver,
        "Options": dict(network.driver_opts),
        "Internal": network.internal,
        "Attachable": network.attachable,
        "EnableIPv6": network.enable_ipv6,
        "EnableIPv4": network.enable_ipv4,
    }
    ipam: dict[str, Any] = {
        "Driver": network.ipam_driver,
        "Config": pools,
        "Options": dict(network.ipam_options),
    }
    ipam = {key: value for key, value in ipam.items() if value}
    if ipam:
        body["IPAM"] = ipam
    return {key: value for key, value in body.items() if value not in (None, "", {})}


def volume_body(project: Project, volume: Volume, config_hash: str) -> dict[str, Any]:
    """The body of POST /volumes/create."""
    own = {
        labels.VOLUME: volume.key,
        labels.PROJECT: project.name,
        labels.VERSION: labels.COMPATIBLE_VERSION,
        labels.CONFIG_HASH: config_hash,
    }
    body: dict[str, Any] = {
        "Name": volume.name,
        "Driver": volume.driver,
        "DriverOpts": dict(volume.driver_opts),
        "Labels": {**volume.labels, **own},
    }
    return {key: value for key, value in body.items() if value}
