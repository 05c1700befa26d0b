"""Handlers of /networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.api.container_filters import has_label
from engine.api.exchange import Exchange, Response
from engine.api.times import rfc3339
from engine.containers import docker_json
from engine.containers.model import EndpointSettings
from engine.errors import ConflictError, ForbiddenError, InvalidRequestError, NotFoundError
from engine.networks.model import IpamConfig, Network, NetworkRequest
from engine.networks.service import PREDEFINED

if TYPE_CHECKING:
    from engine.api.engine import Engine


def network_json(engine: Engine, network: Network, *, endpoints: bool) -> dict[str, Any]:
    """Docker's document of a network; its endpoints only in an inspect."""
    driver = "null" if network.name == "none" else network.driver
    containers = {}
    if endpoints:
        for endpoint in engine.networks.endpoints_of(network.id):
            containers[endpoint.container_id] = {
                "Name": endpoint.container_name,
                "EndpointID": endpoint.endpoint_id,
                "MacAddress": endpoint.mac,
                "IPv4Address": f"{endpoint.ipv4}/{endpoint.prefix}",
                "IPv6Address": "",
            }
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": rfc3339(network.created_ns),
        "Scope": "local",
        "Driver": driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {
            "Driver": "default",
            "Options": None,
            "Config": [_ipam_json(config) for config in network.ipam],
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": containers,
        "Options": network.options,
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
    found = [n for n in engine.networks.all() if _matches(engine, n, filters)]
    return Response(document=[network_json(engine, n, endpoints=False) for n in found])


def _matches(engine: Engine, network: Network, filters: dict[str, list[str]]) -> bool:
    for key, values in filters.items():
        if key == "name":
            fits = any(_name_fits(network.name, value) for value in values)
        elif key == "id":
            fits = any(network.id.startswith(value) for value in values)
        elif key == "label":
            fits = all(has_label(network.labels, value) for value in values)
        elif key == "driver":
            fits = network.driver in values
        elif key == "scope":
            fits = "local" in values
        elif key == "type":
            fits = ("builtin" if network.name in PREDEFINED else "custom") in values
        elif key == "dangling":
            used = bool(engine.networks.endpoints_of(network.id)) or network.name in PREDEFINED
            fits = any((value in ("true", "1")) != used for value in values)
        else:
            raise InvalidRequestError(f"invalid filter '{key}'")
        if not fits:
            return False
    return True


def _name_fits(name: str, wanted: str) -> bool:
    if wanted.startswith("^"):
        return name == wanted.removeprefix("^").removesuffix("$")
    return wanted in name


async def inspect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /networks/{id}."""
    del exchange
    return Response(document=network_json(engine, engine.networks.find(name), endpoints=True))


async def create(engine: Engine, exchange: Exchange) -> Response:
    """POST /networks/create."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid JSON: the body must be an object")
    ipam = document.get("IPAM") or {}
    request = NetworkRequest(
        name=document.get("Name") or "",
        driver=document.get("Driver") or "bridge",
        internal=bool(document.get("Internal")),
        attachable=bool(document.get("Attachable")),
        enable_ipv4=document.get("EnableIPv4") is not False,
        enable_ipv6=bool(document.get("EnableIPv6")),
        ipam_driver=ipam.get("Driver") or "default",
        ipam=tuple(_read_ipam(config) for config in ipam.get("Config") or () if config),
        ipam_options=ipam.get("Options") or {},
        options={key: str(value) for key, value in (document.get("Options") or {}).items()},
        labels=document.get("Labels") or {},
        ingress=bool(document.get("Ingress")),
        config_only=bool(document.get("ConfigOnly")),
    )
    network = await engine.networks.create(request)
    return Response(201, {"Id": network.id, "Warning": ""})


def _read_ipam(config: dict[str, Any]) -> IpamConfig:
    return IpamConfig(
        config.get("Subnet") or "",
        config.get("Gateway") or "",
        config.get("IPRange") or "",
        config.get("AuxiliaryAddresses") or config.get("AuxAddress") or {},
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
    await engine.containers.connect(str(document.get("Container") or ""), name, settings)
    return Response(200)


async def disconnect(engine: Engine, exchange: Exchange, name: str) -> Response:
    """POST /networks/{id}/disconnect."""
    document = await exchange.json() or {}
    container = str(document.get("Container") or "")
    try:
        await engine.containers.disconnect(container, name)
    except (NotFoundError, ConflictError):
        if not document.get("Force"):
            raise
    return Response(200)


async def prune(engine: Engine, exchange: Exchange) -> Response:
    """POST /networks/prune."""
    filters = exchange.request.filters()
    deleted = []
    for network in engine.networks.all():
        if network.name in PREDEFINED or not _matches(engine, network, filters):
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
