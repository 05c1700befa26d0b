"""Phase 10, continued: what a project refers to must be there, and must not contradict itself. Pure.

A rule yields every fault that it finds in one service.
"""

from __future__ import annotations

from compose.loader.tree import FaultError, like, raise_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Path = tuple[str | int, ...]
    Full = Mapping[str, Any]
    Faults = Iterator[FaultError]


def check_consistency(project: Full, disabled: Full) -> None:
    """Raises FaultError for the services that do not fit the rest; `disabled` are the others."""
    raise_all(_faults(project, disabled))


def check_names(services: Full) -> None:
    """Raises FaultError for the services that want a container name which another one has."""
    owners: dict[str, str] = {}
    faults = []
    for name, service in services.items():
        container = service.get("container_name")
        if container and owners.setdefault(container, name) != name:
            problem = f"{container!r} is already the name of service {owners[container]}'s container: change one of them"
            faults.append(FaultError(("services", name, "container_name"), problem))
    raise_all(faults)


def _faults(project: Full, disabled: Full) -> Faults:
    for name, service in project["services"].items():
        for rule in _RULES:
            yield from rule(service, ("services", name), project, disabled)
    for name, secret in project.get("secrets", {}).items():
        if not (secret.get("external") or secret.get("file") or secret.get("environment")):
            yield FaultError(
                ("secrets", name), "a secret must declare either file or environment: add one"
            )
    yield from _cycles(project["services"])


def _has_origin(service: Full, path: Path, _project: Full, _disabled: Full) -> Faults:
    if not ({"build", "image", "provider"} & service.keys()):
        yield FaultError(
            path,
            "has neither an image nor a build context: say one of them",
            *((*path, name) for name in ("image", "build", "provider", "extends")),
        )


def _build_fits(service: Full, path: Path, project: Full, _disabled: Full) -> Faults:
    build = service.get("build")
    if build is None:
        return
    if "dockerfile" in build and "dockerfile_inline" in build:
        yield FaultError(
            (*path, "build"), "dockerfile and dockerfile_inline are mutually exclusive: keep one"
        )
    services = project["services"]
    for name, context in build.get("additional_contexts", {}).items():
        if not context.startswith("service:"):
            continue
        place = (*path, "build", "additional_contexts", name)
        other = context.removeprefix("service:")
        if other not in services:
            advice = like(other, services) or ": define it, or remove this"
            problem = f"unknown service {other!r} as additional context{advice}"
            yield FaultError(place, problem, ("services", other), ("include",))
        elif "build" not in services[other]:
            yield FaultError(
                place,
                f"service {other!r} is not built: give it a build, or remove this",
                ("services", other, "build"),
            )
    platforms = build.get("platforms", [])
    if platforms and "platform" in service and service["platform"] not in platforms:
        yield FaultError(
            (*path, "build", "platforms"),
            f"must include the service's {service['platform']!r}: add it",
        )


def _references(service: Full) -> Iterator[tuple[str, str, str, Path]]:
    """(section, what it is called, name, path) of everything that a service refers to."""
    for name in service.get("networks", {}):
        yield "networks", "network", name, ("networks", name)
    for index, mount in enumerate(service.get("volumes", ())):
        if mount.get("type") == "volume" and mount.get("source"):
            yield "volumes", "volume", mount["source"], ("volumes", index)
    for index, grant in enumerate(service.get("build", {}).get("secrets", ())):
        yield "secrets", "build secret", grant.get("source", ""), ("build", "secrets", index)
    for section in ("configs", "secrets"):
        for index, grant in enumerate(service.get(section, ())):
            yield section, section[:-1], grant.get("source", ""), (section, index)
    for name in service.get("models", {}):
        yield "models", "model", name, ("models", name)


def _references_exist(service: Full, path: Path, project: Full, _disabled: Full) -> Faults:
    if "network_mode" in service and service.get("networks"):
        yield FaultError(
            (*path, "network_mode"), "network_mode and networks are mutually exclusive: keep one"
        )
    for section, what, name, place in _references(service):
        known = project.get(section, {})
        if name not in known:
            advice = like(name, known) or f': declare it under "{section}:"'
            problem = f"refers to undefined {what} {name}{advice}"
            yield FaultError((*path, *place), problem, (section, name), ("include",))


def _dependencies_exist(service: Full, path: Path, project: Full, disabled: Full) -> Faults:
    services = project["services"]
    for name, dependency in service.get("depends_on", {}).items():
        if name in services or (name in disabled and not dependency["required"]):
            continue
        place = (*path, *_said(service, name))
        if name in disabled:
            profiles = ", ".join(disabled[name].get("profiles", ()))
            yield FaultError(
                place, f"depends on {name!r}, which is disabled: enable a profile ({profiles})"
            )
        else:
            advice = like(name, services) or ": define it, or remove this"
            yield FaultError(
                place,
                f"depends on undefined service {name!r}{advice}",
                ("services", name),
                ("include",),
            )


def _network_of_a_service(service: Full, path: Path, project: Full, disabled: Full) -> Faults:
    """A network cannot be shared with a service that is not there, though it need not be waited for."""
    mode = service.get("network_mode", "")
    name = mode.removeprefix("service:")
    if name == mode or name in project["services"]:
        return
    dependency = service.get("depends_on", {}).get(name)
    if dependency is None or (name in disabled and not dependency["required"]):
        what = "disabled" if name in disabled else "undefined"
        yield FaultError(
            (*path, "network_mode"),
            f"shares the network of {what} service {name!r}: {'enable' if name in disabled else 'define'} it, or remove this",
            ("services", name),
        )


def _said(service: Full, name: str) -> Path:
    """Which attribute says that another service is needed."""
    for mode in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        if service.get(mode) == f"service:{name}":
            return (mode,)
    for attribute in ("links", "volumes_from"):
        for index, entry in enumerate(service.get(attribute, ())):
            if entry.partition(":")[0] == name:
                return (attribute, index)
    return ("depends_on", name)


def _test_begins_well(service: Full, path: Path, _project: Full, _disabled: Full) -> Faults:
    test = service.get("healthcheck", {}).get("test") or ["NONE"]
    if test[0] not in {"CMD", "CMD-SHELL", "NONE"}:
        yield FaultError(
            (*path, "healthcheck", "test"), 'must begin with "CMD", "CMD-SHELL" or "NONE": add it'
        )


def _scale_fits(service: Full, path: Path, _project: Full, _disabled: Full) -> Faults:
    scale, deploy = service.get("scale"), service.get("deploy", {})
    replicas = deploy.get("replicas")
    if scale is not None and replicas is not None and scale != replicas:
        yield FaultError(
            (*path, "scale"), f"{scale} differs from deploy.replicas, {replicas}: keep one"
        )
        return
    count = scale if scale is not None else replicas
    where = ("scale",) if scale is not None else ("deploy", "replicas")
    if count is not None and count < 0:
        yield FaultError((*path, *where), "must be greater than or equal to 0")
    if count is not None and count > 1 and "container_name" in service:
        yield FaultError(
            (*path, *where),
            f"can't be {count} with a container_name, which is unique: remove one of the two",
        )


def _limits_agree(service: Full, path: Path, _project: Full, _disabled: Full) -> Faults:
    resources = service.get("deploy", {}).get("resources", {})
    for attribute, part, name in (
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("mem_reservation", "reservations", "memory"),
        ("pids_limit", "limits", "pids"),
    ):
        other = resources.get(part)
        if attribute in service and other is not None and other.get(name) != service[attribute]:
            yield FaultError(
                (*path, attribute), f"differs from deploy.resources.{part}.{name}: keep one"
            )


def _watches_have_targets(service: Full, path: Path, _project: Full, _disabled: Full) -> Faults:
    for index, watch in enumerate(service.get("develop", {}).get("watch", ())):
        if not watch.get("target") and watch["action"] not in {"rebuild", "restart"}:
            place = (*path, "develop", "watch", index)
            yield FaultError(
                place,
                f"target is required for the action {watch['action']}: say the path in the container",
                (*place, "target"),
            )


def _targets_differ(service: Full, path: Path, _project: Full, _disabled: Full) -> Faults:
    seen: dict[str, str] = {}
    mounts = [
        ("tmpfs", i, entry.partition(":")[0]) for i, entry in enumerate(service.get("tmpfs", ()))
    ]
    mounts += [
        ("volumes", i, e.get("target", "")) for i, e in enumerate(service.get("volumes", ()))
    ]
    for section, index, target in mounts:
        if target in seen:
            yield FaultError(
                (*path, section, index),
                f"target {target} is already mounted as {seen[target]}: remove one of the two",
            )
        seen.setdefault(target, f"{section}[{index}]")


def _cycles(services: Full) -> Faults:
    done: set[str] = set()
    # Each entry: a service on the way, and those it needs that are still to be seen.
    for first in sorted(services):
        trail = [first]
        waiting = [_needs(services, first)] if first not in done else []
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                done.add(trail.pop())
            elif name in trail:
                circle = " -> ".join((*trail[trail.index(name) :], name))
                yield FaultError(
                    ("services", trail[-1], *_said(services[trail[-1]], name)),
                    f"dependency cycle detected: {circle}: remove one of these dependencies",
                )
            elif name not in done:
                trail.append(name)
                waiting.append(_needs(services, name))


def _needs(services: Full, name: str) -> Iterator[str]:
    needs = services[name].get("depends_on")
    return iter(sorted(other for other in needs if other in services)) if needs else iter(())


_RULES: tuple[Callable[[Full, Path, Full, Full], Faults], ...] = (
    _has_origin,
    _build_fits,
    _references_exist,
    _test_begins_well,
    _dependencies_exist,
    _network_of_a_service,
    _scale_fits,
    _limits_agree,
    _watches_have_targets,
    _targets_differ,
)
