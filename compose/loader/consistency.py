"""Phase 10, continued: what a project refers to must be there, and must not contradict itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.loader.tree import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Path = tuple[str | int, ...]
    Full = Mapping[str, Any]


def check_consistency(project: Full, disabled: Full) -> None:
    """Raises FaultError for the first service that does not fit the rest; `disabled` are the others."""
    for name, service in project["services"].items():
        for rule in _RULES:
            rule(service, ("services", name), project, disabled)
    for name, secret in project.get("secrets", {}).items():
        if not (secret.get("external") or secret.get("file") or secret.get("environment")):
            raise FaultError(("secrets", name), "a secret must declare either file or environment")
    _no_cycle(project["services"])


def _has_origin(service: Full, path: Path, _project: Full, _disabled: Full) -> None:
    if not ({"build", "image", "provider"} & service.keys()):
        raise FaultError(path, "has neither an image nor a build context: say one of them")


def _build_fits(service: Full, path: Path, project: Full, disabled: Full) -> None:
    build = service.get("build")
    if build is None:
        return
    if "dockerfile" in build and "dockerfile_inline" in build:
        raise FaultError(
            (*path, "build"), "dockerfile and dockerfile_inline are mutually exclusive: keep one"
        )
    for name, context in build.get("additional_contexts", {}).items():
        if context.startswith("service:"):
            place = (*path, "build", "additional_contexts", name)
            other = context.removeprefix("service:")
            if other not in project["services"]:
                raise FaultError(place, f"unknown service {other!r} as additional context")
            if "build" not in project["services"][other]:
                raise FaultError(place, f"service {other!r} is not built: it has no build")
    platforms = build.get("platforms", [])
    if platforms and "platform" in service and service["platform"] not in platforms:
        raise FaultError(
            (*path, "build", "platforms"), f"must include the service's {service['platform']!r}"
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


def _references_exist(service: Full, path: Path, project: Full, _disabled: Full) -> None:
    if "network_mode" in service and service.get("networks"):
        raise FaultError(
            (*path, "network_mode"), "network_mode and networks are mutually exclusive: keep one"
        )
    for section, what, name, place in _references(service):
        if name not in project.get(section, {}):
            advice = f'declare it under "{section}:"'
            raise FaultError((*path, *place), f"refers to undefined {what} {name}: {advice}")


def _dependencies_exist(service: Full, path: Path, project: Full, disabled: Full) -> None:
    for name, dependency in service.get("depends_on", {}).items():
        if name in project["services"] or (name in disabled and not dependency["required"]):
            continue
        place = (*path, "depends_on", name)
        if name in disabled:
            profiles = ", ".join(disabled[name].get("profiles", ()))
            raise FaultError(
                place, f"depends on {name!r}, which is disabled: enable a profile ({profiles})"
            )
        raise FaultError(place, f"depends on undefined service {name!r}: define it, or remove this")


def _test_begins_well(service: Full, path: Path, _project: Full, _disabled: Full) -> None:
    test = service.get("healthcheck", {}).get("test") or ["NONE"]
    if test[0] not in {"CMD", "CMD-SHELL", "NONE"}:
        raise FaultError(
            (*path, "healthcheck", "test"), 'must begin with "CMD", "CMD-SHELL" or "NONE"'
        )


def _scale_fits(service: Full, path: Path, _project: Full, _disabled: Full) -> None:
    scale, deploy = service.get("scale"), service.get("deploy", {})
    replicas = deploy.get("replicas")
    if scale is not None and replicas is not None and scale != replicas:
        raise FaultError((*path, "scale"), "differs from deploy.replicas: keep one")
    count = scale if scale is not None else replicas
    where = ("scale",) if scale is not None else ("deploy", "replicas")
    if count is not None and count < 0:
        raise FaultError((*path, *where), "must be greater than or equal to 0")
    if count is not None and count > 1 and "container_name" in service:
        raise FaultError(
            (*path, *where), "can't be more than 1 with a container_name, which is unique"
        )


def _limits_agree(service: Full, path: Path, _project: Full, _disabled: Full) -> None:
    resources = service.get("deploy", {}).get("resources", {})
    for attribute, part, name in (
        ("cpus", "limits", "cpus"),
        ("mem_limit", "limits", "memory"),
        ("mem_reservation", "reservations", "memory"),
        ("pids_limit", "limits", "pids"),
    ):
        other = resources.get(part)
        if attribute in service and other is not None and other.get(name) != service[attribute]:
            raise FaultError(
                (*path, attribute), f"differs from deploy.resources.{part}.{name}: keep one"
            )


def _watches_have_targets(service: Full, path: Path, _project: Full, _disabled: Full) -> None:
    for index, watch in enumerate(service.get("develop", {}).get("watch", ())):
        if not watch.get("target") and watch["action"] not in {"rebuild", "restart"}:
            raise FaultError(
                (*path, "develop", "watch", index), "target is required for this action"
            )


def _targets_differ(service: Full, path: Path, _project: Full, _disabled: Full) -> None:
    seen: dict[str, str] = {}
    mounts = [
        ("tmpfs", i, entry.partition(":")[0]) for i, entry in enumerate(service.get("tmpfs", ()))
    ]
    mounts += [
        ("volumes", i, e.get("target", "")) for i, e in enumerate(service.get("volumes", ()))
    ]
    for section, index, target in mounts:
        if target in seen:
            raise FaultError(
                (*path, section, index), f"target {target} is already mounted as {seen[target]}"
            )
        seen[target] = f"{section}[{index}]"


def _no_cycle(services: Full) -> None:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circle = " -> ".join((*trail[trail.index(name) :], name))
            place = ("services", trail[-1], "depends_on", name)
            raise FaultError(
                place, f"dependency cycle detected: {circle}: remove one of these depends_on"
            )
        if name in done:
            return
        for other in sorted(services[name].get("depends_on", {})):
            if other in services:
                visit(other, (*trail, name))
        done.add(name)

    for name in sorted(services):
        visit(name, ())


_RULES: tuple[Callable[[Full, Path, Full, Full], None], ...] = (
    _has_origin,
    _build_fits,
    _references_exist,
    _test_begins_well,
    _dependencies_exist,
    _scale_fits,
    _limits_agree,
    _watches_have_targets,
    _targets_differ,
)
