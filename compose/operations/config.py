"""`config`: the project as it was understood, or one list of what is in it, as text."""

from __future__ import annotations

from compose.errors import ProjectError, UsageError
from compose.loader import select
from compose.loader.document import as_json, as_yaml, in_yaml_order, ordered, service_as_json
from compose.loader.load import (
    Composed,
    compose_document,
    document_hash,
    load_model,
)
from compose.loader.request import LoadRequest
from compose.loader.template import Variable, strings, variables
from compose.loader.unique import with_nulls
from compose.model.record import Record, changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal

    from compose.operations.pinning import Resolve

    Listing = Literal[
        "services", "volumes", "networks", "models", "hash", "profiles", "images", "variables",
        "environment",
    ]  # fmt: skip


class ConfigRequest(Record):
    """What `config` is asked for; `listing` None is the whole document.

    `hashed` names the services of the listing "hash", () being all. `resolve_digests` turns full
    names of images into their digests, where names without one are to be pinned.
    """

    load: LoadRequest = LoadRequest()
    format: str = ""
    listing: Listing | None = None
    hashed: tuple[str, ...] = ()
    quiet: bool = False
    resolve_image_digests: bool = False
    lock_image_digests: bool = False
    resolve_digests: Resolve | None = None


class ConfigOutput(Record):
    """The text for standard output, and the warnings for standard error."""

    text: str
    warnings: tuple[str, ...] = ()


def config(request: ConfigRequest) -> str:
    """What `docker compose config` prints for the same request.

    Raises ProjectError, UsageError.
    """
    return config_output(request).text


def config_output(request: ConfigRequest) -> ConfigOutput:
    """The same, with the warnings met on the way."""
    if request.format not in {"", "yaml", "json"} and request.listing is None:
        raise UsageError(f"unsupported format {request.format!r}: use yaml or json")
    if request.listing == "variables":
        return _variables(request)
    if not request.load.interpolate:
        return _raw(request)
    if request.listing is not None:
        return _listing(request, request.listing)
    composed = compose_document(changed(request.load, resolve_environment=True))
    if request.resolve_image_digests or request.lock_image_digests:
        composed = _pinned(composed, request)
    if request.quiet:
        return ConfigOutput("", composed.warnings)
    from compose.loader.go_json import indented_json
    from compose.loader.render import yaml_text

    text = (
        indented_json(as_json(dict(composed.full)))
        if request.format == "json"
        else yaml_text(as_yaml(dict(composed.full)))
    )
    return ConfigOutput(text.replace("$", "$$"), composed.warnings)


def _raw(request: ConfigRequest) -> ConfigOutput:
    """With --no-interpolate: the canonical tree as it is, no project made of it."""
    load = request.load
    tree, _, warnings = load_model(load)
    if request.listing == "services":
        return ConfigOutput(_lines(sorted(tree.get("services", {}))), warnings)
    if request.listing is not None:
        return _listing(request, request.listing)
    if request.resolve_image_digests or request.lock_image_digests:
        tree = _pinned_tree(tree, request)
    if request.quiet:
        return ConfigOutput("", warnings)
    from compose.loader.go_json import indented_json
    from compose.loader.render import yaml_text

    if request.format == "json":
        raw = with_nulls(_without_empty_lists(tree) if load.normalize else tree)
        return ConfigOutput(indented_json(ordered(raw)), warnings)
    return ConfigOutput(yaml_text(in_yaml_order(tree)), warnings)


def _without_empty_lists(tree: dict[str, Any]) -> dict[str, Any]:
    """As the reference's JSON has it: where values were looked up, an empty list became null."""
    services = {}
    for name, service in tree.get("services", {}).items():
        renewed = dict(service)
        if renewed.get("environment") == []:
            renewed["environment"] = None
        if isinstance(renewed.get("build"), dict) and renewed["build"].get("args") == []:
            renewed["build"] = {**renewed["build"], "args": None}
        services[name] = renewed
    return {**tree, "services": services} if services else tree


def _listing(request: ConfigRequest, listing: Listing) -> ConfigOutput:
    load = changed(request.load, distinct_names=False)
    if listing in {"services", "volumes", "networks", "models", "hash"}:
        load = changed(load, services=())
    if listing != "environment":
        load = changed(load, resolve_environment=False)
    composed = compose_document(load)
    text = _LISTINGS[listing](composed, request)
    return ConfigOutput(text, composed.warnings)


def _lines(names: Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def _services(composed: Composed, _request: ConfigRequest) -> str:
    services = composed.full["services"]
    return _lines(select.closure(sorted(services), services))


def _hashes(composed: Composed, request: ConfigRequest) -> str:
    services = composed.full["services"]
    lines = []
    for name in sorted(request.hashed or services):
        if name not in services:
            raise ProjectError(
                f"no such service: {name}: `config --services` lists those there are"
            )
        document = service_as_json(services[name])
        platform = composed.settings.environment.get("DOCKER_DEFAULT_PLATFORM")
        if platform and "build" in document and "platform" not in document:
            document = service_as_json({**services[name], "platform": platform})
        lines.append(f"{name} {document_hash(document)}")
    return _lines(lines)


def _profiles(composed: Composed, _request: ConfigRequest) -> str:
    services = [*composed.full["services"].values(), *composed.disabled.values()]
    return _lines(sorted({name for service in services for name in service.get("profiles", ())}))


def _images(composed: Composed, request: ConfigRequest) -> str:
    project = composed.full["name"] + ("_" if request.load.compatibility else "-")
    services = composed.full["services"]
    return _lines(services[name].get("image") or f"{project}{name}" for name in sorted(services))


def _models(composed: Composed, _request: ConfigRequest) -> str:
    models = composed.full.get("models", {})
    return _lines(model["model"] for model in models.values() if model.get("model"))


def _environment(composed: Composed, _request: ConfigRequest) -> str:
    return _lines(
        sorted(f"{name}={value}" for name, value in composed.settings.environment.items())
    )


_LISTINGS: Mapping[Listing, Callable[[Composed, ConfigRequest], str]] = {
    "services": _services,
    "volumes": lambda composed, _request: _lines(composed.full.get("volumes", {})),
    "networks": lambda composed, _request: _lines(composed.full.get("networks", {})),
    "models": _models,
    "hash": _hashes,
    "profiles": _profiles,
    "images": _images,
    "environment": _environment,
}


def _variables(request: ConfigRequest) -> ConfigOutput:
    tree, _, warnings = load_model(changed(request.load, interpolate=False))
    found: dict[str, Variable] = {}
    for text in strings(tree):
        for variable in variables(text):
            found[variable.name] = variable
    if request.format in {"json", "yaml"}:
        return ConfigOutput(_variables_as(request.format, found), warnings)
    rows = [("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")]
    for name in sorted(found):
        variable = found[name]
        required = "true" if variable.required else "false"
        rows.append((name, required, variable.default, variable.alternate))
    widths = [max(20, *(len(row[column]) + 3 for row in rows)) for column in range(3)]
    lines = [
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + row[3]
        for row in rows
    ]
    return ConfigOutput(_lines(lines), warnings)


def _variables_as(form: str, found: Mapping[str, Variable]) -> str:
    table = {
        name: {
            "Name": name,
            "DefaultValue": found[name].default,
            "PresenceValue": found[name].alternate,
            "Required": found[name].required,
        }
        for name in sorted(found)
    }
    from compose.loader.go_json import indented_json
    from compose.loader.render import yaml_text

    if form == "json":
        return indented_json(table, "    ") + "\n\n"
    return yaml_text(
        {
            name: {key.lower(): value for key, value in entry.items()}
            for name, entry in table.items()
        }
    )


def _pinned(composed: Composed, request: ConfigRequest) -> Composed:
    """Every image by its digest; with lock_image_digests nothing else."""
    services = _resolved(composed.full["services"], request)
    if not request.lock_image_digests:
        return changed(composed, full={**composed.full, "services": services})
    bare = {
        name: {"command": None, "entrypoint": None, **_image_alone(service)}
        for name, service in services.items()
    }
    return changed(composed, full={"name": "", "services": bare})


def _pinned_tree(tree: dict[str, Any], request: ConfigRequest) -> dict[str, Any]:
    """The same of a canonical tree."""
    services = _resolved(tree.get("services", {}), request)
    if not request.lock_image_digests:
        return {**tree, "services": services}
    return {"services": {name: _image_alone(service) for name, service in services.items()}}


def _image_alone(service: Mapping[str, Any]) -> dict[str, Any]:
    return {"image": service["image"]} if "image" in service else {}


def _resolved(services: Mapping[str, Any], request: ConfigRequest) -> dict[str, Any]:
    from compose.operations.pinning import pinned

    if request.resolve_digests is None:
        raise AssertionError("digests are asked for, and nobody is there to be asked")
    return pinned(services, request.resolve_digests)
