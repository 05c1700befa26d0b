"""Phase 10, the end: the document -> frozen types. Pure.

Durations become nanoseconds, sizes bytes, modes ints; nothing is validated again here.
"""

from __future__ import annotations

from compose.loader.bind_service import bind_service
from compose.loader.document import as_json, service_as_json, without_content
from compose.model.files import FileSource
from compose.model.network import IpamPool, Network
from compose.model.project import Project
from compose.model.volume import Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.loader.result import Composed

    Full = Mapping[str, Any]


def bind(composed: Composed) -> Project:
    """The project of a full document."""
    full = composed.full
    document = as_json(dict(full))
    services = document.get("services", {})
    return Project(
        name=full["name"],
        working_dir=composed.settings.working_dir,
        files=composed.settings.files,
        services={
            name: bind_service(name, service, services[name])
            for name, service in full["services"].items()
        },
        networks={key: _network(key, entry) for key, entry in full.get("networks", {}).items()},
        volumes={key: _volume(key, entry) for key, entry in full.get("volumes", {}).items()},
        configs={
            key: _file(key, entry, "configs") for key, entry in full.get("configs", {}).items()
        },
        secrets={
            key: _file(key, entry, "secrets") for key, entry in full.get("secrets", {}).items()
        },
        disabled={
            name: bind_service(name, service, service_as_json(service))
            for name, service in composed.disabled.items()
        },
        models=full.get("models", {}),
        environment=composed.settings.environment,
        document=document,
    )


def _network(key: str, entry: Full) -> Network:
    ipam = entry["ipam"]
    return Network(
        key=key,
        name=entry.get("name", key),
        external=entry.get("external", False),
        driver=entry.get("driver", ""),
        driver_opts=entry.get("driver_opts", {}),
        attachable=entry.get("attachable", False),
        internal=entry.get("internal", False),
        enable_ipv4=entry.get("enable_ipv4"),
        enable_ipv6=entry.get("enable_ipv6"),
        ipam_driver=ipam.get("driver", ""),
        ipam_pools=tuple(
            IpamPool(
                subnet=pool.get("subnet", ""),
                ip_range=pool.get("ip_range", ""),
                gateway=pool.get("gateway", ""),
                aux_addresses=pool.get("aux_addresses", {}),
            )
            for pool in ipam.get("config", ())
        ),
        labels=entry.get("labels", {}),
        document=entry,
    )


def _volume(key: str, entry: Full) -> Volume:
    return Volume(
        key=key,
        name=entry.get("name", key),
        external=entry.get("external", False),
        driver=entry.get("driver", ""),
        driver_opts=entry.get("driver_opts", {}),
        labels=entry.get("labels", {}),
        document=entry,
    )


def _file(key: str, entry: Full, section: str) -> FileSource:
    return FileSource(
        key=key,
        name=entry.get("name", key),
        external=entry.get("external", False),
        file=entry.get("file", ""),
        environment=entry.get("environment", ""),
        content=without_content(dict(entry), section).get("content"),
        labels=entry.get("labels", {}),
        document=without_content(dict(entry), section),
    )
