"""Which images to pull and to build before anything is created. Pure."""

from __future__ import annotations

import re

from compose.errors import ProjectError
from compose.model.record import Record, changed
from compose.planner.steps import BuildImage, Plan, PullImage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from compose.model.observed import ObservedImage
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.planner.steps import Step

DAY = 86400
EVERY = r"(\d+)(w|d|h|m|s)"
SECONDS = {"w": 7 * DAY, "d": DAY, "h": 3600, "m": 60, "s": 1}


class ImagePolicy(Record):
    """Flags: `build` True builds all that can be, False none. `pull` "" is as each service says."""

    build: bool | None = None
    pull: Literal["", "always", "missing", "never", "build"] = ""


def plan_images(
    project: Project, images: Mapping[str, ObservedImage], policy: ImagePolicy, now: float
) -> Plan:
    """Pulls and builds. `images`: what is local, by reference. Raises ProjectError."""
    steps: list[Step] = []
    pulled: dict[str, str] = {}
    for name in sorted(project.services):
        service = project.services[name]
        image = service.image or project.name_of(name)
        if not service.image and service.build is None and not service.provider:
            raise ProjectError(f'invalid service "{name}". Must specify either image or build')
        how = pull_policy(service, policy)
        local = images.get(image)
        cause = why_pull(service, how, local, now)
        if cause and image not in pulled:
            step = PullImage(
                id=f"pull {image}", cause=cause, service=name, image=image, platform=service.platform,
                optional=is_built(project, image) and policy.build is not False,
            )  # fmt: skip
            steps.append(step)
            pulled[image] = step.id
        beside = [
            (f"{name}:volume {at}", mount.source)
            for at, mount in enumerate(service.volumes) if mount.type == "image"
        ]  # fmt: skip
        beside += [(f"{name}:pre_start {at}", hook.image) for at, hook in enumerate(service.pre_start) if hook.image]  # fmt: skip
        for what, other in beside:
            # What a service here builds comes with that service.
            built = is_built(project, other) and policy.build is not False
            if other not in images and other not in pulled and not built:
                step = PullImage(id=f"pull {other}", cause="missing", service=what, image=other)
                steps.append(step)
                pulled[other] = step.id
        steps += build_steps(service, image, how, policy, pulled, present=local is not None)
    return Plan(order_builds(steps, project))


def build_steps(
    service: Service,
    image: str,
    how: str,
    policy: ImagePolicy,
    pulled: Mapping[str, str],
    *,
    present: bool,
) -> list[Step]:
    """The build of a service's image, if it is to be built; after a pull only if that failed."""
    if service.build is None or policy.build is False:
        return []
    if how == "build" or (not present and image not in pulled):
        cause = "--build" if policy.build else "pull_policy build" if present else "missing"
        return [
            BuildImage(id=f"build {service.name}", cause=cause, service=service.name, image=image)
        ]
    return []


def order_builds(steps: Sequence[Step], project: Project) -> tuple[Step, ...]:
    """The steps, each build after those of the services whose images it takes as contexts."""
    built = {step.service: step.id for step in steps if isinstance(step, BuildImage)}
    return tuple(
        changed(step, needs=step.needs | wanted)
        if isinstance(step, BuildImage) and (wanted := _taken(project, step.service, built))
        else step
        for step in steps
    )


def _taken(project: Project, name: str, built: Mapping[str, str]) -> frozenset[str]:
    build = project.services[name].build
    values = build.additional_contexts.values() if build else ()
    others = (value.removeprefix("service:") for value in values if value.startswith("service:"))
    return frozenset(built[other] for other in others if other in built and other != name)


def pull_policy(service: Service, policy: ImagePolicy) -> str:
    """What holds for a service: the flags go before its own word."""
    if policy.build and service.build is not None:
        return "build"
    return policy.pull or service.pull_policy or "missing"


def why_pull(service: Service, how: str, local: ObservedImage | None, now: float) -> str:
    """The cause for pulling; "" not to. Raises ProjectError for a policy that is none."""
    if not service.image:
        return ""
    if how == "always":
        return "pull policy always"
    if how in ("never", "build"):
        return ""
    if local is None:
        return "missing"
    age = refresh_age(service, how)
    if age is not None and now - tagged_time(local.tagged) > age:
        return f"pull policy {how}"
    return ""


def refresh_age(service: Service, how: str) -> int | None:
    """After how many seconds an image is pulled again; None for never."""
    if how in ("missing", "if_not_present"):
        return None
    if how in ("daily", "weekly"):
        return DAY if how == "daily" else 7 * DAY
    parts = re.findall(EVERY, how.removeprefix("every_"))
    if not how.startswith("every_") or "".join(a + b for a, b in parts) != how[len("every_") :]:
        raise ProjectError(
            f'services.{service.name}.pull_policy: "{how}" is none: use always, missing, never, '
            "build, daily, weekly or every_<duration>"
        )
    return sum(int(number) * SECONDS[unit] for number, unit in parts)


def tagged_time(text: str) -> float:
    """An RFC 3339 time as seconds; 0 if it is not known."""
    from datetime import datetime  # needed for a policy of an age alone

    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?", text)
    if not found:
        return 0.0
    zone = "+00:00" if found[2] in (None, "Z") else found[2]
    return datetime.fromisoformat(found[1] + zone).timestamp()


def is_built(project: Project, image: str) -> bool:
    """Whether some service of the project builds this image."""
    return any(
        service.build is not None and (service.image or project.name_of(service.name)) == image
        for service in project.services.values()
    )
