"""A service's build attributes -> the parameters of POST /build. Pure.

What the classic builder has no parameter for is an error where ignoring it would make another image.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from compose.engine_client.payloads.container import image_of
from compose.errors import ProjectError
from compose.model import labels
from compose.model.record import EMPTY, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.project import Project
    from compose.model.service import Build, Service

REMOTE = re.compile(r"(https?|git|ssh)://|git@|github\.com/")
#: Attributes of build that this way of building cannot honour, and would be wrong to ignore.
UNSUPPORTED = ("additional_contexts", "secrets", "ssh", "privileged", "entitlements")
#: Those that only make it faster or add papers.
IGNORED = ("cache_to", "provenance", "sbom")


class BuildOptions(Record):
    """The flags of build that go to each image."""

    no_cache: bool = False
    pull: bool = False
    arguments: Mapping[str, str] = EMPTY
    memory: int = 0


def build_query(
    project: Project, service: Service, options: BuildOptions
) -> dict[str, str | list[str]]:
    """The parameters of POST /build. Raises ProjectError for what it has no parameter for. Pure."""
    build = service.build
    assert build is not None
    for name in UNSUPPORTED:
        if getattr(build, name):
            raise ProjectError(
                f"services.{service.name}.build.{name} is not supported: take it out"
            )
    arguments = {key: value for key, value in build.args.items() if value is not None}
    arguments |= options.arguments
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
        "cachefrom": json.dumps(list(build.cache_from)) if build.cache_from else "",
        "ulimits": ulimits(build),
        "platform": platform_of(service),
        "remote": build.context if REMOTE.match(build.context) else "",
    }
    if query["remote"] and build.dockerfile:
        query["dockerfile"] = build.dockerfile
    return {key: value for key, value in query.items() if value}


def platform_of(service: Service) -> str:
    """The one platform to build for. Raises ProjectError for several."""
    assert service.build is not None
    platforms = service.build.platforms
    if service.platform:
        return service.platform
    if len(platforms) > 1:
        raise ProjectError(
            f"services.{service.name}.build.platforms: one platform at a time can be built: "
            "choose with the service's platform"
        )
    return platforms[0] if platforms else ""


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
        if getattr(service.build, name)
    ]
