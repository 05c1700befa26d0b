"""What a project asks for that is given in another way than by the engine, or not at all: before anything
is touched."""

from __future__ import annotations

import json

from compose.errors import ProjectError
from compose.model.files import FileGrant, FileSource
from compose.model.mount import Mount
from compose.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.engine_client.endpoint import Endpoint
    from compose.model.project import Project
    from compose.model.service import Service

#: Where a service with use_api_socket finds the engine and its credentials, as docker compose has it.
SOCKET, CREDENTIALS = "/var/run/docker.sock", "/run/secrets/docker/config.json"
CREDENTIALS_KEY = "#apisocket"


def prepared(project: Project, endpoint: Endpoint, environment: Mapping[str, str]) -> Project:
    """The project as this engine can have it, use_api_socket spelled out. Raises ProjectError for what cannot be had."""
    wrong = [line for one in project.services.values() for line in relative_targets(one)]
    if wrong:
        raise ProjectError("\n".join(wrong))
    if not endpoint.explicit:
        project = with_memory(project)
    asking = [one for one in project.services.values() if one.use_api_socket]
    if not asking:
        return project
    if not endpoint.path:
        raise ProjectError(
            f"services.{asking[0].name}.use_api_socket: the engine at {endpoint} has no socket that "
            "a container could be given: use a local engine"
        )
    from compose.operations.credentials import read_config

    auths = {"auths": read_config(environment).get("auths") or {}}
    source = FileSource(CREDENTIALS_KEY, CREDENTIALS_KEY, content=json.dumps(auths))
    services = {one.name: with_socket(one, endpoint.path) for one in asking}
    return changed(
        project,
        services={**project.services, **services},
        configs={**project.configs, CREDENTIALS_KEY: source},
    )


def with_memory(project: Project) -> Project:
    """The project whose secrets our own engine keeps in memory, for services whose root takes no copy. Pure."""
    names = {
        grant.source
        for service in project.services.values()
        for grant in (service.secrets if service.read_only else ())
        if grant.is_owned and grant.source in project.secrets and project.secrets[grant.source].file
    }
    if not names:
        return project
    kept = {name: changed(project.secrets[name], in_memory=True) for name in sorted(names)}
    return changed(project, secrets={**project.secrets, **kept})


def with_socket(service: Service, path: str) -> Service:
    """The service with the engine's socket, and the registries' credentials."""
    environment = dict(service.environment)
    environment.setdefault("DOCKER_CONFIG", CREDENTIALS.rpartition("/")[0])
    return changed(
        service,
        volumes=(*service.volumes, Mount("bind", SOCKET, path)),
        configs=(*service.configs, FileGrant(CREDENTIALS_KEY, CREDENTIALS)),
        environment=environment,
        use_api_socket=False,
    )


def relative_targets(service: Service) -> list[str]:
    """A line for each mount whose target is no absolute path: the engine would refuse it, but late. Pure."""
    targets = [(f"volumes[{at}]", mount.target) for at, mount in enumerate(service.volumes)]
    targets += [(f"tmpfs[{at}]", entry.partition(":")[0]) for at, entry in enumerate(service.tmpfs)]
    lines = []
    for place, target in targets:
        if target.startswith("/"):
            continue
        advice = "begin it with /"
        if target[1:3] == ":/" and target[0].isalpha():  # `d:/data` is read so
            advice = f"a volume's name has two letters or more, {target[0]!r} is a Windows drive"
        lines.append(
            f"services.{service.name}.{place}: the target {target!r} is no absolute path: {advice}"
        )
    return lines
