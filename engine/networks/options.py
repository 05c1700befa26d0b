"""A network's driver options: read, checked, and refused by name where they cannot be honoured. Pure.

Names and meanings are Docker's (docs.docker.com/engine/network/drivers/bridge, macvlan, overlay).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, cast, get_args

from engine.errors import ForbiddenError, InvalidRequestError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.networks.model import NetworkRequest

BRIDGE = "com.docker.network.bridge."
DRIVER = "com.docker.network.driver."
ENDPOINT = "com.docker.network.endpoint."
GatewayMode = Literal["nat", "nat-unprotected", "routed", "isolated"]
MACVLAN_MODES = ("bridge", "private", "vepa", "passthru")
PREFIX = "com.docker.network.container_iface_prefix"
VXLAN_IDS = f"{DRIVER}overlay.vxlanid_list"
#: What a kernel takes as a link's name, but for the dots and slashes that sysctls trip over.
LINK_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
_REFUSED = {
    "com.docker.network.host_ipv4": "outgoing packets carry the host's usual address",
    "com.docker.network.host_ipv6": "outgoing packets carry the host's usual address",
    f"{BRIDGE}trusted_host_interfaces": "use gateway_mode_ipv4=nat-unprotected",
    "ipvlan_mode": "use the driver macvlan",
}
_KNOWN = {
    "bridge": (
        f"{BRIDGE}name", f"{BRIDGE}enable_icc", f"{BRIDGE}enable_ip_masquerade", f"{DRIVER}mtu",
        f"{BRIDGE}host_binding_ipv4", f"{BRIDGE}gateway_mode_ipv4", f"{BRIDGE}gateway_mode_ipv6",
        f"{BRIDGE}inhibit_ipv4", f"{BRIDGE}default_bridge", PREFIX,
    ),
    "macvlan": ("parent", "macvlan_mode", f"{DRIVER}mtu", PREFIX),
    "overlay": (VXLAN_IDS, "encrypted", f"{DRIVER}mtu", PREFIX),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DriverOptions:
    """A network's options in our terms; mtu 0 is the kernel's."""

    link: str = ""
    mtu: int = 0
    icc: bool = True
    masquerade: bool = True
    host_binding: str = ""
    gateway_mode4: GatewayMode = "nat"
    gateway_mode6: GatewayMode = "nat"
    inhibit_ipv4: bool = False
    default_bridge: bool = False
    prefix: str = "eth"
    parent: str = ""
    macvlan_mode: str = "bridge"
    vxlan_id: int = 0
    encrypted: bool = False

    def gateway_mode(self, version: int) -> GatewayMode:
        """The mode of a family, 4 or 6."""
        return self.gateway_mode4 if version == 4 else self.gateway_mode6


def read_options(given: Mapping[str, str]) -> DriverOptions:
    """Docker's options in our terms. Raises InvalidRequestError, NotSupportedError."""
    for key, instead in _REFUSED.items():
        if key in given:
            raise NotSupportedError(f"the network option {key} is not supported", hint=instead)
    return DriverOptions(
        link=_link_name(given, f"{BRIDGE}name"),
        mtu=_number(given, f"{DRIVER}mtu", 68, 65535),
        icc=_flag(given, f"{BRIDGE}enable_icc", usual=True),
        masquerade=_flag(given, f"{BRIDGE}enable_ip_masquerade", usual=True),
        host_binding=_address(given, f"{BRIDGE}host_binding_ipv4"),
        gateway_mode4=_gateway_mode(given, f"{BRIDGE}gateway_mode_ipv4"),
        gateway_mode6=_gateway_mode(given, f"{BRIDGE}gateway_mode_ipv6"),
        inhibit_ipv4=_flag(given, f"{BRIDGE}inhibit_ipv4", usual=False),
        default_bridge=_flag(given, f"{BRIDGE}default_bridge", usual=False),
        prefix=_link_name(given, PREFIX) or "eth",
        parent=_link_name(given, "parent"),
        macvlan_mode=_macvlan_mode(given),
        vxlan_id=_number(given, VXLAN_IDS, 1, (1 << 24) - 1),
        encrypted="encrypted" in given and given["encrypted"] not in _FALSE,
    )


def check_request(request: NetworkRequest) -> tuple[str, ...]:
    """Whether a network can be made as asked; warnings of what has no effect.

    Raises InvalidRequestError and NotSupportedError, which name what cannot be.
    """
    if not request.name or not re.fullmatch(r"[^\s/\\:]+", request.name):
        raise InvalidRequestError(f"invalid network name {request.name!r}: no spaces, no slashes")
    if request.ingress:
        raise NotSupportedError("ingress networks belong to a swarm: this engine is not one")
    if request.scope not in ("", "local"):
        raise ForbiddenError(
            f"cannot create a network of scope {request.scope}: this engine is no swarm",
            hint="leave the scope out",
        )
    _check_driver(request.driver)
    if request.ipam_driver not in ("", "default"):
        raise NotFoundDriverError(
            f'IPAM driver: plugin "{request.ipam_driver}" not found', hint="use default"
        )
    if not request.enable_ipv4 and not request.enable_ipv6:
        raise InvalidRequestError("IPv4 or IPv6 must be enabled")
    options = read_options(request.options)
    _check_modes(request, options)
    if request.driver == "macvlan" and not options.parent:
        raise InvalidRequestError(
            "a macvlan network needs the host link it stands on: driver_opts: parent: eth0"
        )
    if request.driver == "overlay" and options.encrypted:
        raise NotSupportedError(
            "encrypted overlay networks are not supported: this engine makes no IPsec keys",
            hint="leave driver_opts.encrypted out, or put the peers behind WireGuard",
        )
    if request.config_only:
        return ()  # which options mean something is known when there is a driver
    known = _KNOWN[request.driver]
    return tuple(
        f"the {request.driver} network option {key} is unknown and has no effect"
        for key in request.options
        if key not in known
    )


def check_pattern(request: NetworkRequest) -> None:
    """A configuration network is a pattern for others; what makes a network is theirs to say.

    Raises ForbiddenError.
    """
    if request.config_only and (request.internal or request.attachable or request.config_from):
        raise ForbiddenError(
            f"the configuration network {request.name} cannot be internal, attachable or made from another"
        )
    own = request.options or request.ipam or request.ipam_options or request.enable_ipv6
    if request.config_from and own:
        raise ForbiddenError(
            f"{request.name} takes its configuration from {request.config_from}: "
            "leave its subnets, options and IPv6 out"
        )


def _check_driver(driver: str) -> None:
    if driver in _KNOWN:
        return
    if driver in ("host", "null", "none"):
        raise ForbiddenError(
            f"only one instance of {driver!r} network is allowed: use the one there is"
        )
    if driver == "ipvlan":
        raise NotSupportedError("network driver 'ipvlan' is not supported", hint="use macvlan")
    raise NotFoundDriverError(
        f"could not find plugin {driver} in v1 plugin registry: plugin not found",
        hint="drivers are bridge, macvlan, overlay, host and none",
    )


class NotFoundDriverError(InvalidRequestError):
    """There is no such network driver (HTTP 404, as Docker answers)."""

    status = 404


def _check_modes(request: NetworkRequest, options: DriverOptions) -> None:
    for version in (4, 6):
        mode = options.gateway_mode(version)
        if mode == "isolated" and not request.internal:
            raise InvalidRequestError(
                f"gateway_mode_ipv{version}=isolated can only be used on an internal network"
            )
    for config in request.ipam:
        if ":" in config.subnet and not request.enable_ipv6:
            raise InvalidRequestError(
                f"the subnet {config.subnet} needs enable_ipv6: true"
            )  # Docker ignores it silently


def endpoint_sysctls(driver_opts: Mapping[str, str], interface: str) -> dict[str, str]:
    """The sysctls of com.docker.network.endpoint.sysctls. Raises InvalidRequestError.

    "net.ipv4.conf.IFNAME.log_martians=1,..." with the word IFNAME, for this interface only.
    """
    found = {}
    for entry in filter(None, driver_opts.get(f"{ENDPOINT}sysctls", "").split(",")):
        key, separator, value = entry.strip().partition("=")
        if not separator or not re.fullmatch(
            r"net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.IFNAME\.\w+", key
        ):
            raise InvalidRequestError(
                f"invalid sysctl {entry!r} of an endpoint: write net.ipv4.conf.IFNAME.name=value"
            )
        found[key.replace("IFNAME", interface)] = value
    return found


def endpoint_interface(driver_opts: Mapping[str, str]) -> str:
    """The name asked for inside the container, "" for none. Raises InvalidRequestError."""
    return _link_name(driver_opts, f"{ENDPOINT}ifname")


def _flag(given: Mapping[str, str], key: str, *, usual: bool) -> bool:
    value = given.get(key, "")
    if not value:
        return usual
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise InvalidRequestError(f"invalid value {value!r} of the option {key}: write true or false")


def _number(given: Mapping[str, str], key: str, low: int, high: int) -> int:
    value = given.get(key, "")
    if not value:
        return 0
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise InvalidRequestError(f"invalid value {value!r} of the option {key}: {low} to {high}")
    return int(value)


def _address(given: Mapping[str, str], key: str) -> str:
    value = given.get(key, "")
    try:
        return str(ip_address(value)) if value else ""
    except ValueError as error:
        raise InvalidRequestError(f"invalid address {value!r} of the option {key}") from error


def _link_name(given: Mapping[str, str], key: str) -> str:
    value = given.get(key, "")
    if value and not LINK_NAME.fullmatch(value):
        raise InvalidRequestError(
            f"invalid link name {value!r} of the option {key}: 1 to 15 letters, digits, _ . -"
        )
    return value


def _gateway_mode(given: Mapping[str, str], key: str) -> GatewayMode:
    value = given.get(key, "") or "nat"
    if value not in get_args(GatewayMode):
        raise InvalidRequestError(
            f"invalid value {value!r} of the option {key}: nat, nat-unprotected, routed or isolated"
        )
    return cast("GatewayMode", value)


def _macvlan_mode(given: Mapping[str, str]) -> str:
    value = given.get("macvlan_mode", "") or "bridge"
    if value not in MACVLAN_MODES:
        raise InvalidRequestError(
            f"invalid macvlan_mode {value!r}: bridge, private, vepa or passthru"
        )
    return value
