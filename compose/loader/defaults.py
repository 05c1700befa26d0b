"""Phase 8: what the specification says an attribute is when the file does not say it. Pure.

`defaults` fills in attributes of their own; `normalize` adds what follows from elsewhere: the default
network, implied dependencies, names of resources. Source: the Compose Specification.
"""

from __future__ import annotations

from compose.loader.mounts import clean_target, maps_owner, with_owner
from compose.loader.tree import FaultError, rewrite, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Path = tuple[str | int, ...]

#: Modes that may share another service's namespace.
_NAMESPACES = ("network_mode", "ipc", "pid", "uts", "cgroup")


def defaults(tree: Any) -> Any:
    """The tree with each attribute's own default."""
    return rewrite(tree, _DEFAULTS, (), lambda action, value, path: action(value, path))


def _filled(**missing: Any) -> Callable[[Any, Path], Any]:
    def fill(value: Any, _path: Path) -> Any:
        if not isinstance(value, dict) or value.keys() >= missing.keys():
            return value
        return value | {key: default for key, default in missing.items() if key not in value}

    return fill


def _secret(value: Any, _path: Path) -> Any:
    if not isinstance(value, dict) or "target" in value:
        return value
    return {**value, "target": f"/run/secrets/{value.get('source')}"}


def _device(value: Any, _path: Path) -> Any:
    if not isinstance(value, dict) or "count" in value or "device_ids" in value:
        return value
    return {**value, "count": "all"}


_DEFAULTS = table(
    {
        "services.*.build": _filled(context="."),
        "services.*.secrets.*": _secret,
        "services.*.ports.*": _filled(protocol="tcp", mode="ingress"),
        "services.*.deploy.resources.reservations.devices.*": _device,
        "services.*.gpus.*": _device,
    }
)


def normalize(tree: dict[str, Any], name: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """The tree with the project's name and all that is implied."""
    tree = {**tree, "name": name}
    services = tree.get("services")
    if isinstance(services, dict):
        owned = maps_owner(tree, ()) is True
        tree["services"] = {
            key: _normal_service(service, ("services", key), variables, owned=owned)
            for key, service in services.items()
        }
    networks = dict(tree.get("networks") or {})
    if any(
        "default" in (service.get("networks") or {})
        for service in tree.get("services", {}).values()
        if "network_mode" not in service and "provider" not in service
    ):
        networks.setdefault("default", None)
    if networks:
        tree["networks"] = networks
    for section in ("networks", "volumes", "configs", "secrets"):
        if section in tree:
            tree[section] = {
                key: _named(resource, key, name) for key, resource in (tree[section] or {}).items()
            }
    return tree


def _named(resource: Any, key: str, project: str) -> dict[str, Any]:
    named: dict[str, Any] = dict(resource or {})
    if named.get("name") is None:
        external = str(named.get("external", "")).lower() in {"true", "t", "1"}
        named["name"] = key if external else f"{project}_{key}"
    return named


def _normal_service(
    given: Any, path: Path, variables: Mapping[str, str], *, owned: bool = False
) -> Any:
    if not isinstance(given, dict):
        return given
    service = dict(given)
    if "provider" not in service and "network_mode" not in service and not service.get("networks"):
        service["networks"] = {"default": None}
    if service.get("pull_policy") == "if_not_present":
        service["pull_policy"] = "missing"
    if isinstance(service.get("build"), dict):
        service["build"] = _normal_build(service["build"], variables)
    if "environment" in service:
        service["environment"] = looked_up(service["environment"], variables, keep=True)
    needs = dict(service.get("depends_on") or {})
    for other, restart in _implied(service):
        needs.setdefault(
            other, {"condition": "service_started", "restart": restart, "required": True}
        )
    if needs:
        service["depends_on"] = needs
    if "volumes" in service:
        service["volumes"] = [
            _clean(mount, (*path, "volumes", index), owned=owned)
            for index, mount in enumerate(service["volumes"])
        ]
    return service


def _normal_build(given: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    build = dict(given)
    if build.get("context") is None:
        build["context"] = "."
    if build.get("dockerfile") is None and build.get("dockerfile_inline") is None:
        build["dockerfile"] = "Dockerfile"
    if "args" in build:
        build["args"] = looked_up(build["args"], variables, keep=False)
    return build


def _clean(mount: Any, path: Path, *, owned: bool) -> Any:
    if not isinstance(mount, dict):
        return mount
    if not isinstance(mount.get("target"), str):
        raise FaultError(path, "the mount has no target: say where in the container it goes")
    mount = {**mount, "target": clean_target(mount["target"]) or "."}
    return with_owner(mount, path, project=owned)


def _implied(service: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """The services that this one needs without saying so, and whether it restarts with them."""
    found = []
    for link in service.get("links") or ():
        parts = link.split(":")
        found.append((parts[0] if len(parts) == 2 else link, True))
    for mode in _NAMESPACES:
        reference = service.get(mode)
        if isinstance(reference, str) and reference.startswith("service:"):
            found.append((reference.removeprefix("service:"), True))
    found += [
        (source.split(":")[0], False)
        for source in service.get("volumes_from") or ()
        if not source.startswith("container:")
    ]
    return found


def looked_up(value: Any, variables: Mapping[str, str], *, keep: bool) -> Any:
    """Names without a value get the environment's; those it lacks stay null if `keep`, else go."""
    if isinstance(value, dict):
        found = {key: variables.get(key) if old is None else old for key, old in value.items()}
        return {key: new for key, new in found.items() if keep or new is not None}
    if isinstance(value, list):
        entries = []
        for entry in value:
            if isinstance(entry, str) and "=" not in entry:
                if entry in variables:
                    entries.append(f"{entry}={variables[entry]}")
                elif keep:
                    entries.append(entry)
            else:
                entries.append(entry)
        return entries
    return value
