"""models: the Docker Model plugin is asked for them, and services learn where they are.

Source: docker's documentation of models in Compose, and docker compose v2.40 watched with a plugin that
writes down what it is asked: `ls --json`, `pull MODEL` for what is not there, `configure [--context-size N]
MODEL [-- FLAGS]` for each, `status --json` for the endpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from compose.errors import ComposeError, ProjectError
from compose.model.record import changed
from compose.operations.providers import plugin_folders, with_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.progress import Progress


def uses_models(project: Project) -> bool:
    """Whether any service asks for one."""
    return any(service.models for service in project.services.values())


def with_models(
    project: Project, environment: Mapping[str, str], progress: Progress, *, quiet: bool = False
) -> Project:
    """Have the models there and configured; the project with their variables. Raises ComposeError.

    `quiet`: what a pull prints is not shown.
    """
    plugin = find_plugin(environment)
    there = _tags(_ask(plugin, "ls", "--json"))
    for key, model in declared(project).items():
        name = str(model["model"])
        if name not in there:
            progress.report(key, "Pulling")
            for line in _pull(plugin, name):
                if not quiet:
                    progress.report(key, f"Pulling {line}")
            progress.report(key, "Pulled", "done")
        progress.report(key, "Configuring")
        _ask(plugin, *configuration(model))
    return with_places(project, _endpoint(_ask(plugin, "status", "--json")))


def with_places_asked(project: Project, environment: Mapping[str, str]) -> Project:
    """The project with the models' variables; nothing is pulled, nothing configured."""
    plugin = find_plugin(environment)
    return with_places(project, _endpoint(_ask(plugin, "status", "--json")))


def with_places(project: Project, endpoint: str) -> Project:
    """The project whose services know the models' names and the endpoint. Pure."""
    models = declared(project)
    services = {
        name: _with_variables(one, models, endpoint) if one.models else one
        for name, one in project.services.items()
    }
    return changed(project, services=services)


def declared(project: Project) -> dict[str, Mapping[str, Any]]:
    """The models that services ask for, as the project declares them. Pure."""
    asked = {key for service in project.services.values() for key in service.models}
    return {key: model for key, model in project.models.items() if key in asked}


def configuration(model: Mapping[str, Any]) -> list[str]:
    """What the plugin is told of a model. Pure."""
    size, flags = model.get("context_size"), [str(one) for one in model.get("runtime_flags") or ()]
    return [
        "configure",
        *(("--context-size", str(size)) if size else ()),
        str(model["model"]),
        *(("--", *flags) if flags else ()),
    ]


def _with_variables(
    service: Service, models: Mapping[str, Mapping[str, Any]], endpoint: str
) -> Service:
    environment = dict(service.environment)
    for key, named in service.models.items():
        prefix = key.upper().replace("-", "_")
        own = named if isinstance(named, dict) else {}
        environment[own.get("model_var") or f"{prefix}_MODEL"] = str(models[key]["model"])
        environment[own.get("endpoint_var") or f"{prefix}_URL"] = endpoint
    return changed(with_environment(service, environment), models={})


def find_plugin(environment: Mapping[str, str]) -> str:
    """The plugin's program. Raises ProjectError where there is none."""
    for folder in plugin_folders(environment):
        path = Path(folder) / "docker-model"
        if os.access(path, os.X_OK):
            return str(path)
    raise ProjectError(
        "'models' support requires Docker Model plugin: install docker-model among docker's plug-ins, "
        "or run the model as a service"
    )


def _ask(plugin: str, *arguments: str) -> str:
    done = subprocess.run(
        [plugin, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        words = said[-1] if said else f"exit code {done.returncode}"
        raise ComposeError(f"docker-model {arguments[0]} failed: {words}")
    return done.stdout


def _pull(plugin: str, name: str) -> Iterator[str]:
    """The lines of a pull as they come. Raises ComposeError with the last of them if it fails."""
    last = ""
    with subprocess.Popen(
        [plugin, "pull", name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as running:  # fmt: skip
        assert running.stdout is not None
        for line in running.stdout:
            last = line.strip()
            if last:
                yield last
    if running.returncode:
        raise ComposeError(f"docker-model pull {name} failed: {last or running.returncode}")


def _tags(text: str) -> set[str]:
    try:
        return {str(tag) for model in json.loads(text or "[]") for tag in model.get("tags") or ()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ComposeError(f"docker-model ls printed no list of models: {text[:80]!r}") from error


def _endpoint(text: str) -> str:
    try:
        return str(json.loads(text).get("endpoint", ""))
    except (ValueError, AttributeError) as error:
        raise ComposeError(f"docker-model status printed no status: {text[:80]!r}") from error
