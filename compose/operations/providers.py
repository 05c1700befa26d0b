"""provider services: a program of the host brings something up that is no container.

Source: docker's documentation of provider services (a plug-in `docker-TYPE`, or TYPE on the PATH, is run as
`TYPE compose --project-name P up --option=value SERVICE`, and writes JSON lines; a line setenv gives
variables to the services that depend on it, the provider's name before them).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compose.errors import ComposeError, ProjectError
from compose.model.record import changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.progress import Progress

PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins",
)  # fmt: skip
Verb = Literal["up", "down"]
WORDS: Mapping[Verb, tuple[str, str]] = {
    "up": ("Creating", "Created"),
    "down": ("Removing", "Removed"),
}


def with_providers(project: Project, environment: Mapping[str, str], progress: Progress) -> Project:
    """Bring the providers up; the project without them, their variables given. Raises ComposeError."""
    providers = [one for one in project.services.values() if one.provider]
    if not providers:
        return project
    services = dict(project.services)
    programs = {one.name: find_program(one, environment) for one in providers}
    for provider in providers:
        variables = run_provider("up", project, provider, programs[provider.name], progress)
        del services[provider.name]
        prefix = prefix_of(provider.name)
        given = {prefix + name: value for name, value in variables.items()}
        for name, service in list(services.items()):
            if provider.name in service.depends_on:
                services[name] = with_variables(service, given)
    gone = {one.name: one for one in providers}
    return changed(project, services=services, disabled={**project.disabled, **gone})


def prefix_of(provider: str) -> str:
    """What the names of a provider's variables begin with. Pure."""
    return provider.upper().replace("-", "_") + "_"


def without_providers(project: Project) -> Project:
    """The project as far as it is containers: for a plan, which asks no provider. Pure."""
    services = {name: one for name, one in project.services.items() if not one.provider}
    gone = {name: one for name, one in project.services.items() if one.provider}
    if not gone:
        return project
    return changed(project, services=services, disabled={**project.disabled, **gone})


def take_down(project: Project, environment: Mapping[str, str], progress: Progress) -> None:
    """Take the providers down. Raises ComposeError."""
    for service in project.services.values():
        if service.provider:
            run_provider("down", project, service, find_program(service, environment), progress)


def with_variables(service: Service, given: Mapping[str, str]) -> Service:
    """The service with a provider's variables, which its own go before. Pure."""
    return with_environment(service, {**given, **service.environment})


def with_environment(service: Service, environment: Mapping[str, str | None]) -> Service:
    """The service with another environment, its document in the order whose hash docker compose makes. Pure."""
    document = {**service.document, "environment": dict(sorted(environment.items()))}
    return changed(service, environment=environment, document=dict(sorted(document.items())))


def plugin_folders(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Where docker's plug-ins are, the person's own first."""
    own = environment.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111
    return (f"{own}/cli-plugins", *PLUGIN_FOLDERS)


def find_program(service: Service, environment: Mapping[str, str]) -> str:
    """The provider's program. Raises ProjectError naming what was looked for."""
    kind = str(service.provider.get("type", ""))
    for folder in plugin_folders(environment):
        path = Path(folder) / f"docker-{kind}"
        if os.access(path, os.X_OK):
            return str(path)
    found = shutil.which(kind, path=environment.get("PATH"))
    if kind in ("", "compose") or "/" in kind or found is None:
        raise ProjectError(
            f'services.{service.name}.provider.type: no program for "{kind}": there is neither a '
            f"docker-{kind} among docker's plug-ins nor a {kind} on the PATH"
        )
    return found


def arguments(verb: Verb, project: Project, service: Service) -> list[str]:
    """The command line after the program's name. Pure."""
    flags: list[str] = []
    for name, value in (service.provider.get("options") or {}).items():
        values: list[Any] = value if isinstance(value, list) else [value]
        flags += [f"--{name}={one}" for one in values]
    return ["compose", f"--project-name={project.name}", verb, *flags, service.name]


def run_provider(
    verb: Verb, project: Project, service: Service, program: str, progress: Progress
) -> dict[str, str]:
    """Run it to its end; the variables it sets. Raises ComposeError with its own words."""
    subject = service.name
    doing, done = WORDS[verb]
    progress.report(subject, doing)
    environment = {**os.environ, **project.environment}
    variables: dict[str, str] = {}
    told = ""
    with subprocess.Popen(
        [program, *arguments(verb, project, service)], cwd=project.working_dir, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        errors="replace",
    ) as running:  # fmt: skip
        assert running.stdout is not None
        for line in running.stdout:
            kind, message = message_of(line)
            if kind == "setenv":
                name, _, value = message.partition("=")
                variables[name] = value
            elif kind == "error":
                told = message
            elif kind == "info":
                progress.report(subject, message)
        assert running.stderr is not None
        errors = running.stderr.read().strip().splitlines()
    if running.returncode:
        said = told or (errors[-1] if errors else f"exit code {running.returncode}")
        progress.report(subject, "Error", "error", said)
        raise ComposeError(f"provider of {service.name} failed: {said}")
    progress.report(subject, done, "done")
    return variables


def message_of(line: str) -> tuple[str, str]:
    """(type, message) of a line; what is no message is for debugging. Pure."""
    try:
        document = json.loads(line)
        return str(document["type"]), str(document["message"])
    except (ValueError, TypeError, KeyError):
        return "debug", line.rstrip("\n")
