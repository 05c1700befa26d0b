"""Which services and resources of a document are meant: profiles, named services, what they use. Pure."""

from __future__ import annotations

from compose.errors import ProjectError
from compose.loader.tree import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Services = dict[str, Any]


def enabled(services: Services, profiles: Iterable[str]) -> tuple[Services, Services]:
    """The services that the profiles (`*` is all) enable, and the others."""
    active = set(profiles)
    on = {
        name
        for name, service in services.items()
        if not service.get("profiles") or "*" in active or active & set(service["profiles"])
    }
    return (
        {name: service for name, service in services.items() if name in on},
        {name: service for name, service in services.items() if name not in on},
    )


def profiles_of(names: Iterable[str], disabled: Services) -> list[str]:
    """The profiles that naming these services enables."""
    return [p for name in names if name in disabled for p in disabled[name].get("profiles", ())]


def closure(names: Iterable[str], services: Services) -> list[str]:
    """The services named (patterns too) after those they depend on. Raises ProjectError for an unknown one."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    for pattern in names:
        # Each entry: a service that is on the way ("" at the start), and what is still to be seen for it.
        waiting = [("", iter(_matching(pattern, services, required=True)))]
        while waiting:
            owner, rest = waiting[-1]
            name = next(rest, None)
            if name is None:
                waiting.pop()
                if owner:
                    found[owner] = None
            elif name not in seen:
                seen.add(name)
                waiting.append((name, iter(_needs(services[name], services))))
    return list(found)


def _needs(service: Mapping[str, Any], services: Services) -> list[str]:
    return [
        name
        for other, need in sorted(service.get("depends_on", {}).items())
        for name in _matching(other, services, required=need["required"])
    ]


def _matching(pattern: str, services: Services, *, required: bool) -> list[str]:
    matched = [pattern] if pattern in services else sorted(_like(pattern, services))
    if not matched and required:
        advice = like(pattern, services) or ": `config --services` lists those there are"
        raise ProjectError(f"no such service: {pattern}{advice}")
    return matched


def _like(pattern: str, names: Iterable[str]) -> list[str]:
    from fnmatch import fnmatchcase

    return [name for name in names if fnmatchcase(name, pattern)]


def only(names: Iterable[str], services: Services) -> Services:
    """The services of these names; dependencies on others are gone."""
    kept = set(names)
    selected = {}
    for name in services:
        if name not in kept:
            continue
        service = dict(services[name])
        needs = {k: v for k, v in service.get("depends_on", {}).items() if k in kept}
        if needs:
            service["depends_on"] = needs
        else:
            service.pop("depends_on", None)
        selected[name] = service
    return selected


def used(project: Mapping[str, Any]) -> dict[str, Any]:
    """The document without the networks, volumes, secrets, configs and models that no service uses."""
    needed: dict[str, set[str]] = {
        section: set() for section in ("networks", "volumes", "secrets", "configs", "models")
    }
    for service in project["services"].values():
        needed["networks"] |= set(service.get("networks", ()))
        needed["models"] |= set(service.get("models", ()))
        needed["volumes"] |= {
            mount["source"]
            for mount in service.get("volumes", ())
            if mount.get("type") == "volume" and mount.get("source")
        }
        for section in ("secrets", "configs"):
            needed[section] |= {grant.get("source", "") for grant in service.get(section, ())}
        build = service.get("build") or {}
        needed["secrets"] |= {grant.get("source", "") for grant in build.get("secrets", ())}
    pruned = dict(project)
    for section, names in needed.items():
        kept = {name: part for name, part in pruned.get(section, {}).items() if name in names}
        if kept:
            pruned[section] = kept
        else:
            pruned.pop(section, None)
    return pruned
