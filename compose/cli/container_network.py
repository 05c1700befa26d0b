"""--network, --publish and their kin -> HostConfig's and NetworkingConfig's keys. Pure."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from compose.cli.key_values import pairs
from compose.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.cli.flags import Options

Endpoint = dict[str, Any]
#: What a network may be given as a list of fields.
FIELDS = (
    "name", "alias", "ip", "ip6", "link-local-ip", "mac-address", "driver-opt", "gw-priority",
)  # fmt: skip


def network_keys(options: Options) -> tuple[dict[str, Any], dict[str, Endpoint], dict[str, Any]]:
    """Keys of HostConfig, the endpoints by network, the exposed ports. Raises UsageError."""
    exposed, bindings = ports(options)
    networks = [network(text) for text in options.network or ("default",)]
    own = own_endpoint(options)
    first, place = networks[0]
    if set(own) & set(place):
        raise UsageError("conflicting options: a network's address or alias is given twice")
    place |= own
    host: dict[str, Any] = {
        "NetworkMode": first,
        "PortBindings": bindings,
        "PublishAllPorts": options.publish_all,
        "Dns": list(options.dns),
        "DnsOptions": list(options.dns_option),
        "DnsSearch": list(options.dns_search),
        "ExtraHosts": [extra_host(text) for text in options.add_host],
        "Links": list(options.link),
    }
    endpoints = {name: one for name, one in networks if one or len(networks) > 1}
    if options.link and is_own(first):
        endpoints.setdefault(first, {})["Links"] = host.pop("Links")
    return {key: value for key, value in host.items() if value}, endpoints, exposed


def is_own(name: str) -> bool:
    """Whether it is a network that somebody made, and no mode."""
    modes = ("default", "bridge", "host", "none")
    return name not in modes and not name.startswith("container:")


def own_endpoint(options: Options) -> Endpoint:
    """What flags beside --network say of the first network."""
    return endpoint({
        "ip": [options.ip], "ip6": [options.ip6], "link-local-ip": list(options.link_local_ip),
        "alias": list(options.network_alias), "mac-address": [options.mac_address],
    })  # fmt: skip


def network(text: str) -> tuple[str, Endpoint]:
    """A network's name, or name=...,alias=...,ip=... in CSV. Raises UsageError."""
    if "=" not in text:
        return text, {}
    found: dict[str, list[str]] = {}
    (fields,) = csv.reader([text])
    for field in fields:
        key, _, value = field.partition("=")
        if key.lower() not in FIELDS:
            raise UsageError(f"invalid field '{field}' in --network {text}")
        found.setdefault(key.lower(), []).append(value)
    if not found.get("name"):
        raise UsageError(f"a network's name is missing: --network {text}")
    if not found.get("gw-priority", ["0"])[-1].lstrip("-").isdigit():
        raise UsageError(f"gw-priority is a whole number: --network {text}")
    return found["name"][-1], endpoint(found)


def endpoint(fields: Mapping[str, list[str]]) -> Endpoint:
    """A network's fields (alias, ip, ip6, link-local-ip, mac-address, ...) as the API has them."""
    addresses: Endpoint = {
        "IPv4Address": last(fields, "ip"), "IPv6Address": last(fields, "ip6"),
        "LinkLocalIPs": list(fields.get("link-local-ip", ())),
    }  # fmt: skip
    found: Endpoint = {
        "IPAMConfig": {key: value for key, value in addresses.items() if value},
        "Aliases": list(fields.get("alias", ())),
        "Links": list(fields.get("link", ())),
        "MacAddress": last(fields, "mac-address"),
        "DriverOpts": pairs(fields.get("driver-opt", ()), "driver-opt"),
        "GwPriority": int(last(fields, "gw-priority") or 0),
    }
    return {key: value for key, value in found.items() if value}


def last(fields: Mapping[str, list[str]], name: str) -> str:
    """A field's value, "" if it is not given."""
    return (fields.get(name) or [""])[-1]


def extra_host(text: str) -> str:
    """ "name:address", also written name=address; IPv6 in brackets. Raises UsageError."""
    at = min((text.find(mark) for mark in ":=" if mark in text), default=-1)
    name, value = text[:at], text[at + 1 :]
    if at < 1 or not value:
        raise UsageError(f'bad format for --add-host: "{text}": give NAME:ADDRESS')
    if value.startswith("[") and value.endswith("]"):
        value = value[1:-1]
    return f"{name}:{value}"


def ports(options: Options) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    """Exposed ports, and where they are published. Raises UsageError."""
    from compose.loader.ports import parse_port

    exposed: dict[str, Any] = {}
    bindings: dict[str, list[dict[str, str]]] = {}
    for flag, texts in (("--publish", options.publish), ("--expose", options.expose)):
        for text in texts:
            if flag == "--expose" and ":" in text:
                raise UsageError(f'invalid port format for --expose: "{text}"')
            try:
                entries = parse_port(text)
            except ValueError as error:
                raise UsageError(f"{flag}: {error}") from None
            for entry in entries:
                key = f"{entry['target']}/{entry['protocol']}"
                exposed[key] = {}
                if flag == "--publish":
                    bindings.setdefault(key, []).append(
                        {"HostIp": entry.get("host_ip", ""), "HostPort": entry.get("published", "")}
                    )
    return exposed, bindings
