"""A project's builds as a bake file, what `docker buildx bake` would be given. Pure.

Source: https://docs.docker.com/build/bake/reference/, checked against `docker compose build --print`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from compose.engine_client.payloads.container import image_of
from compose.engine_client.payloads.references import REMOTE
from compose.model import labels

if TYPE_CHECKING:
    from compose.model.build import Build
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.build_query import BuildOptions


def bake_file(
    project: Project, services: tuple[str, ...], options: BuildOptions, *, push: bool
) -> dict[str, Any]:
    """The document, keys in bake's order; its group is of the services named, or of all."""
    built = {name: one for name, one in project.services.items() if one.build is not None}
    wanted = [name for name in built if not services or name in services]
    return {
        "group": {"default": {"targets": wanted}},
        "target": {
            target_name(name): _target(project, one, options, push=push)
            for name, one in sorted(built.items())
        },
    }


def target_name(service: str) -> str:
    """A service's name as a target's: bake knows no dots."""
    return service.replace(".", "_")


def _target(
    project: Project, service: Service, options: BuildOptions, *, push: bool
) -> dict[str, Any]:
    build = service.build
    assert build is not None
    image = image_of(project, service)
    own = {
        labels.PROJECT: project.name,
        labels.SERVICE: service.name,
        labels.VERSION: labels.COMPATIBLE_VERSION,
    }
    document = {
        "context": build.context,
        "contexts": {
            name: f"target:{target_name(value[8:])}" if value.startswith("service:") else value
            for name, value in sorted(build.additional_contexts.items())
        },
        "dockerfile": "" if build.dockerfile_inline else _dockerfile(build),
        "dockerfile-inline": build.dockerfile_inline.replace("${", "$${"),
        "args": {
            key: value
            for key, value in sorted({**build.args, **options.arguments}.items())
            if value is not None
        },
        "labels": dict(sorted({**build.labels, **own}.items())),
        "tags": list(dict.fromkeys([*build.tags, image])),
        "cache-from": list(build.cache_from),
        "cache-to": list(build.cache_to),
        "target": build.target,
        "secret": [_secret(project, grant.source, grant.target) for grant in build.secrets],
        "ssh": [
            f"{name}={path}"
            for name, _, path in (one.partition("=") for one in (*build.ssh, *options.ssh))
        ],
        "platforms": list(build.platforms),
        "pull": build.pull or options.pull,
        "no-cache": build.no_cache or options.no_cache,
        "no-cache-filter": list(dict.fromkeys((*build.no_cache_filter, *options.no_cache_filter))),
        "network": build.network,
        "shm-size": str(build.shm_size or ""),
        "ulimits": [
            f"{name}={soft}" if soft == hard else f"{name}={soft}:{hard}"
            for name, (soft, hard) in build.ulimits.items()
        ],
        "entitlements": list(build.entitlements),
        "extra-hosts": dict(one.split("=", 1) for one in build.extra_hosts if "=" in one),
    }
    found = {key: value for key, value in document.items() if value}
    return {**found, "output": ["type=registry" if push else "type=docker"]}


def _dockerfile(build: Build) -> str:
    if build.context.startswith(REMOTE):
        return build.dockerfile
    return os.path.normpath(os.path.join(build.context, build.dockerfile or "Dockerfile"))  # noqa: PTH118 -- a text, not a file


def _secret(project: Project, source: str, target: str) -> str:
    secret = project.secrets[source]
    name = target or source
    if secret.environment:
        return f"id={name},type=env,env={secret.environment}"
    return f"id={name},type=file,src={secret.file}"
