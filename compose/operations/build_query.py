"""A service's build attributes -> the parameters of POST /build. Pure.

What cannot be honoured is an error where ignoring it would make another image.
"""

from __future__ import annotations

import json

from compose.engine_client.payloads.container import image_of
from compose.engine_client.payloads.references import REMOTE
from compose.errors import ProjectError
from compose.model import labels
from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.model.build import Build
    from compose.model.project import Project
    from compose.model.service import Service

#: Those that only add papers.
IGNORED = ("provenance", "sbom")
#: The entitlements that everybody has.
GRANTED = ("network.host",)


class BuildOptions(Record):
    """The flags of build that go to each image."""

    no_cache: bool = False
    pull: bool = False
    arguments: Mapping[str, str] = EMPTY
    memory: int = 0
    ssh: tuple[str, ...] = ()
    check: bool = False
    no_cache_filter: tuple[str, ...] = ()
    every_platform: bool = False


def build_query(
    project: Project, service: Service, options: BuildOptions
) -> dict[str, str | list[str]]:
    """The parameters of POST /build. Raises ProjectError for what it has no parameter for. Pure."""
    build = service.build
    assert build is not None
    refuse(service)
    arguments = {key: value for key, value in build.args.items() if value is not None}
    epoch = project.environment.get("SOURCE_DATE_EPOCH")
    arguments = {
        **({"SOURCE_DATE_EPOCH": epoch} if epoch else {}),
        **arguments,
        **options.arguments,
    }
    own = {
        labels.PROJECT: project.name,
        labels.SERVICE: service.name,
        labels.VERSION: labels.COMPATIBLE_VERSION,
    }
    query: dict[str, Any] = {
        "t": list(dict.fromkeys([image_of(project, service), *build.tags])),
        "rm": "1",
        "nocache": "1" if build.no_cache or options.no_cache else "",
        "pull": "1" if build.pull or options.pull else "",
        "buildargs": json.dumps(arguments) if arguments else "",
        "labels": json.dumps({**build.labels, **own}),
        "target": build.target,
        "networkmode": build.network,
        "extrahosts": [entry.replace("=", ":", 1) for entry in build.extra_hosts],
        "shmsize": str(build.shm_size or ""),
        "memory": str(options.memory or ""),
        "ulimits": ulimits(build),
        "platform": platforms_of(project, service, every=options.every_platform),
        "remote": build.context if build.context.startswith(REMOTE) else "",
        "progress": "events",
    }
    if query["remote"] and build.dockerfile:
        query["dockerfile"] = build.dockerfile
    return {key: value for key, value in query.items() if value}


def refuse(service: Service) -> None:
    """ProjectError for what no build of ours can honour, and would be wrong to ignore."""
    build = service.build
    assert build is not None
    where = f"services.{service.name}.build"
    if build.privileged:
        raise ProjectError(
            f"{where}.privileged needs the entitlement security.insecure, which is granted to nobody: "
            "take it out"
        )
    for name in build.entitlements:
        if name not in GRANTED:
            raise ProjectError(f"{where}.entitlements: {name} is not granted: take it out")
    if build.isolation not in ("", "default"):
        raise ProjectError(
            f"{where}.isolation: {build.isolation} is for Windows: take it out, or write default"
        )


def platforms_of(project: Project, service: Service, *, every: bool) -> str:
    """The platforms to build for, with commas between; "" for the engine's own.

    `build` makes `every` one that the file names; what is built to be run is for one, the service's
    or that of DOCKER_DEFAULT_PLATFORM.
    """
    assert service.build is not None
    wanted = service.build.platforms
    one = service.platform or project.environment.get("DOCKER_DEFAULT_PLATFORM", "")
    if len(wanted) == 1:
        return wanted[0]
    if every and wanted:
        return ",".join(wanted)
    return one if not wanted or one in wanted else ""


def ulimits(build: Build) -> str:
    """The API's list as JSON."""
    found = [
        {"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in build.ulimits.items()
    ]
    return json.dumps(found) if found else ""


def ignored_build_attributes(service: Service) -> list[str]:
    """Warnings for what a build is asked for and does not do."""
    if service.build is None:
        return []
    return [
        f"services.{service.name}.build.{name} is not supported, it will be ignored"
        for name in IGNORED
        if getattr(service.build, name) not in ("", "false")
    ]
