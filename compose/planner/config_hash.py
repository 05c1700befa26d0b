"""The config hash: whether a container, network or volume is what the project asks for. Pure.

Rules: what does not change what is created stays out (build, how images are pulled, how many
containers, dependencies, profiles); ids of containers whose namespaces are shared come in. Contents
of configs and secrets have a hash of their own, so that this one stays docker compose's.
"""

from __future__ import annotations

import json

from compose.model.digest import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from compose.model.network import Network
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.model.volume import Volume

    #: A document as JSON text. The loader's way of it gives the hashes that docker compose has.
    Encode = Callable[[Any], str]

LEFT_OUT = frozenset(("build", "pull_policy", "scale", "depends_on", "profiles"))


def plain_json(document: Any) -> str:
    """JSON without blanks, keys in their order."""
    return json.dumps(document, separators=(",", ":"), default=str)


def shared_services(service: Service) -> tuple[str, ...]:
    """Services whose containers this one's containers are tied to: namespaces and volumes_from."""
    found = [
        mode.removeprefix("service:")
        for mode in (service.network_mode, service.ipc, service.pid)
        if mode.startswith("service:")
    ]
    found += [
        entry.partition(":")[0]
        for entry in service.volumes_from
        if not entry.startswith("container:")
    ]
    return tuple(dict.fromkeys(found))


def service_hash(service: Service, shared: Mapping[str, str], encode: Encode = plain_json) -> str:
    """The hash of one service. `shared`: id of the container for each of shared_services."""
    document = resolved_document(service, shared)
    kept = {key: value for key, value in document.items() if key not in LEFT_OUT}
    deploy = kept.get("deploy")
    if deploy:
        kept["deploy"] = {key: value for key, value in deploy.items() if key != "replicas"}
    owned = [mount.target for mount in service.volumes if mount.bind_map_owner]
    if owned:  # a document as docker compose has it leaves extensions out
        kept = {**kept, "x-map-owner": owned}
    return digest(encode(kept))


def contents_hash(project: Project, service: Service) -> str:
    """The hash of what the configs and secrets of a service contain; "" if there are none."""
    contents = granted_contents(project, service)
    return digest(plain_json(contents)) if contents else ""


def resolved_document(service: Service, shared: Mapping[str, str]) -> Mapping[str, Any]:
    """The document with "service:x" replaced by the container that it stands for today."""
    document = service.document
    ties = shared_services(service)
    if not ties:
        return document

    def resolved(mode: Any) -> Any:
        name = mode.removeprefix("service:") if isinstance(mode, str) else ""
        return f"container:{shared.get(name, '')}" if name != mode and name else mode

    changed = dict(document)
    for key in ("network_mode", "ipc", "pid"):
        if key in changed:
            changed[key] = resolved(changed[key])
    if changed.get("volumes_from"):
        changed["volumes_from"] = [
            entry.removeprefix("container:")
            if entry.startswith("container:")
            else shared.get(entry.partition(":")[0], "")
            for entry in changed["volumes_from"]
        ]
    return changed


def granted_contents(project: Project, service: Service) -> dict[str, str]:
    """What the service's configs and secrets contain; of a file's content the digest."""
    found: dict[str, str] = {}
    for kind, grants, sources in (
        ("config", service.configs, project.configs),
        ("secret", service.secrets, project.secrets),
    ):
        for grant in grants:
            source = sources.get(grant.source)
            if source is None or source.external or (source.file and not source.digest):
                continue
            text: str | None = source.digest
            if not source.file:
                text = source.content
                if source.environment:
                    text = project.environment.get(source.environment, "")
            found[f"{kind} {grant.source}"] = text or ""
    return found


def network_hash(network: Network, encode: Encode = plain_json) -> str:
    """The hash of a network's own attributes."""
    return digest(encode(network.document or {"name": network.name}))


def volume_hash(volume: Volume, encode: Encode = plain_json) -> str:
    """The hash of a volume's own attributes; "local" is what no driver means."""
    document: dict[str, Any] = {}
    for key, value in (volume.document or {"name": volume.name}).items():
        document[key] = value
        if key == "name":
            document["driver"] = volume.driver or "local"
    return digest(encode(document))
