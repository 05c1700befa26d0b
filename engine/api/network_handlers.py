"""Handlers of /networks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from engine.api.container_filters import has_label
from engine.api.exchange import Exchange, Response
from engine.api.times import rfc3339
from engine.containers import docker_json
from engine.containers.logs import parse_time
from engine.containers.model import EndpointSettings
from engine.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError
from engine.networks.model import IpamConfig, Network, NetworkRequest
from engine.networks.service import PREDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.api.engine import Engine

Part = TypeVar("Part", dict[str, Any], list[Any])


def network_json(engine: Engine, network: Network, *, endpoints: bool) -> dict[str, Any]:
    """Docker's document of a network; its endpoints only in an inspect."""
    containers = {}
    for endpoint in engine.networks.endpoints_of(network.id) if endpoints else ():
        containers[endpoint.container_id] = {
            "Name": endpoint.container_name,
            "EndpointID": endpoint.endpoint_id,
            "MacAddress": endpoint.mac,
            "IPv4Address": f"{endpoint.ipv4}/{endpoint.prefix}" if endpoint.ipv4 else "",
            "IPv6Address": f"{endpoint.ipv6}/{endpoint.prefix6}" if endpoint.ipv6 else "",
        }
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": rfc3339(network.created_ns),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": network.enable_ipv4,
        "EnableIPv6": network.enable_ipv6,
        "IPAM": {
            "Driver": "default",
            "Options": network.ipam_options or None,
            "Config": [_ipam_json(config) for config in network.ipam],
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": network.config_from},
        "ConfigOnly": network.config_only,
        "Containers": containers,
        "Options": engine.networks.effective_options(network),
        "Labels": network.labels,
    }


def _ipam_json(config: IpamConfig) -> dict[str, Any]:
    document: dict[str, Any] = {"Subnet": config.subnet}
    if config.ip_range:
        document["IPRange"] = config.ip_range
    if config.gateway:
        document["Gateway"] = config.gateway
    if config.aux_addresses:
        document["AuxiliaryAddresses"] = config.aux_addresses
    return document


async def list_all(engine: Engine, exchange: Exchange) -> Response:
    """GET /networks."""
    filters = exchange.request.filters()
    if len(filters.get("dangling", ())) > 1:
        raise InvalidRequestError('got more than one value for filter key "dangling"')
    found = [n for n in engine.networks.all() if _matches(engine, n, filters)]
    return Response(document=[network_json(engine, n, endpoints=False) for n in found])


def _matches(engine: Engine, network: Network, filters: dict[str, list[str]]) -> bool:
    """Whether a network fits all filters: any of a filter's values, all of the labels."""
    for key, values in filters.items():
        test = _TESTS.get(key)
        if test is None:
            raise InvalidRequestError(f"invalid filter '{key}'")
        how = all if key in ("label", "label!", "until") else any
        if not how(test(engine, network, value) for value in values):
            return False
    return True


def _is_dangling(engine: Engine, network: Network, value: str) -> bool:
    if value not in (*_TRUE, *_FALSE):
        raise InvalidRequestError(f"invalid filter 'dangling={value}'")
    used = bool(engine.networks.endpoints_of(network.id)) or network.name in PREDEFINED
    return (value in _TRUE) != used


def _is_of_type(engine: Engine, network: Network, value: str) -> bool:
    del engine
    if value not in ("builtin", "custom"):
        raise InvalidRequestError(f"invalid filter: 'type'='{value}'")
    return ("builtin" if network.name in PREDEFINED else "custom") == value


def _is_older(engine: Engine, network: Network, value: str) -> bool:
    del engine
    return network.created_ns < (parse_time(value, time.time_ns()) or 0)


_TESTS: dict[str, Callable[[Engine, Network, str], bool]] = {
    "name": lambda _, n, value: _name_fits(n.name, value),
    "id": lambda _, n, value: n.id.startswith(value),
    "label": lambda _, n, value: has_label(n.labels, value),
    "label!": lambda _, n, value: not has_label(n.labels, value),
    "driver": lambda _, n, value: n.driver == value or (n.driver, value) == ("null", "none"),
    "scope": lambda _, n, value: value == "local",
    "type": _is_of_type,
    "dangling": _is_dangling,
    "until": _is_older,
}
#: Go's spellings (strconv.ParseBool).
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_PRUNE_FILTERS = ("label", "label!", "until")


def _name_fits(name: str, wanted: str) -> bool:
    if wanted.startswith("^"):
        return name == wanted.removeprefix("^").removesuffix("$")
    return wanted in name


async def inspect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /networks/{id}."""
    if exchange.request.text("verbose") not in ("", *_TRUE, *_FALSE):
        raise InvalidRequestError(f"invalid value for verbose: {exchange.request.text('verbose')}")
    if exchange.request.text("scope") not in ("", "local"):
        raise NotFoundError(
            f"network {name} not found in the scope {exchange.request.text('scope')}"
        )
    return Response(document=network_json(engine, engine.networks.find(name), endpoints=True))


async def create(engine: Engine, exchange: Exchange) -> Response:
    """POST /networks/create."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid JSON: the body must be an object")
    request = network_request(document)
    if request.name in (*PREDEFINED, "default"):
        raise ForbiddenError(f"operation is not permitted on predefined {request.name} network")
    network, warnings = await engine.networks.create_with_warnings(request)
    return Response(201, {"Id": network.id, "Warning": "; ".join(warnings)})


def network_request(document: dict[str, Any]) -> NetworkRequest:
    """A create request's body as a value. Raises InvalidRequestError."""
    ipam = _part(document, "IPAM", dict)
    configs = _part(ipam, "Config", list)
    if not all(config is None or isinstance(config, dict) for config in configs):
        raise InvalidRequestError("invalid JSON: IPAM.Config must be a list of objects")
    return NetworkRequest(
        name=_word(document, "Name"),
        driver=_word(document, "Driver") or "bridge",
        internal=bool(document.get("Internal")),
        attachable=bool(document.get("Attachable")),
        enable_ipv4=document.get("EnableIPv4") is not False,
        enable_ipv6=bool(document.get("EnableIPv6")),
        ipam_driver=str(ipam.get("Driver") or "default"),
        ipam=tuple(_read_ipam(config) for config in configs if config),
        ipam_options=_words(ipam, "Options"),
        options=_words(document, "Options"),
        labels=_words(document, "Labels"),
        ingress=bool(document.get("Ingress")),
        scope=_word(document, "Scope"),
        config_only=bool(document.get("ConfigOnly")),
        config_from=_word(_part(document, "ConfigFrom", dict), "Network"),
    )


def _part(document: dict[str, Any], key: str, kind: type[Part]) -> Part:
    value = document.get(key) or kind()
    if not isinstance(value, kind):
        raise InvalidRequestError(
            f"invalid JSON: {key} must be {'a list' if kind is list else 'an object'}"
        )
    return value


def _word(document: dict[str, Any], key: str) -> str:
    value = document.get(key) or ""
    if not isinstance(value, str):
        raise InvalidRequestError(f"invalid JSON: {key} must be a string")
    return value


def _words(document: dict[str, Any], key: str) -> dict[str, str]:
    return {name: str(value) for name, value in _part(document, key, dict).items()}


def _read_ipam(config: dict[str, Any]) -> IpamConfig:
    return IpamConfig(
        str(config.get("Subnet") or ""),
        str(config.get("Gateway") or ""),
        str(config.get("IPRange") or ""),
        {**_words(config, "AuxAddress"), **_words(config, "AuxiliaryAddresses")},
    )


async def remove(engine: Engine, exchange: Exchange, name: str) -> Response:
    """DELETE /networks/{id}."""
    del exchange
    await engine.networks.remove(name)
    return Response(204)


async def connect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /networks/{id}/connect."""
    document = await exchange.json() or {}
    settings = docker_json.decode(
        EndpointSettings, document.get("EndpointConfig") or {}, "EndpointConfig"
    )
    await engine.containers.connect(_container(document), name, settings)
    return Response(200)


def _container(document: dict[str, Any]) -> str:
    """Whom a request is about. Raises InvalidRequestError."""
    found = _word(document, "Container")
    if not found:
        raise InvalidRequestError('invalid container name or ID supplied: ""')
    return found


async def disconnect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /networks/{id}/disconnect."""
    document = await exchange.json() or {}
    try:
        await engine.containers.disconnect(_container(document), name)
    except ConflictError:
        if not document.get("Force"):
            raise
    return Response(200)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /networks/prune."""
    filters = exchange.request.filters()
    for key in filters:
        if key not in _PRUNE_FILTERS:
            raise InvalidRequestError(f"invalid filter '{key}'")
    deleted = []
    for network in engine.networks.all():
        if (
            network.name in PREDEFINED
            or network.config_only
            or not _matches(engine, network, filters)
        ):
            continue
        users = any(network.name in c.networks for c in engine.containers.all())
        if users:
            continue
        try:
            await engine.networks.remove(network.id)
            deleted.append(network.name)
        except ForbiddenError:
            continue
    return Response(document={"NetworksDeleted": deleted or None})
