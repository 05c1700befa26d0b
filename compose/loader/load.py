"""From a request to a project: the composition of the phases, and the loader's public face.

files -> parse -> interpolate -> extends -> include -> merge -> validate -> canonical   (each file)
      -> defaults -> paths -> normalize -> document -> select -> consistency -> bind    (once)
"""

from __future__ import annotations

from compose.errors import ProjectError
from compose.loader import select
from compose.loader import settings as settings_phase
from compose.loader.assemble import Assembly, Scope
from compose.loader.consistency import check_consistency, check_names
from compose.loader.defaults import normalize
from compose.loader.document import as_json, document
from compose.loader.environment import with_environment, with_labels
from compose.loader.files import Files
from compose.loader.request import LoadRequest
from compose.loader.result import Composed, Loaded
from compose.loader.settings import Settings
from compose.loader.sources import Disk
from compose.loader.tree import FaultError
from compose.model.digest import digest
from compose.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from compose.model.service import Service

    T = TypeVar("T")

__all__ = [
    "Composed", "LoadRequest", "Loaded", "Settings", "compose_document", "load_model", "load_project",
    "resolve_settings", "service_hash",
]  # fmt: skip

NO_FILES = (
    "no configuration file provided: not found: create a compose.yaml, or give one with --file"
)


def resolve_settings(request: LoadRequest) -> Settings:
    """The project's name, files, profiles and variables; no file at all is no error.

    Raises ProjectError for a file that cannot be read or a bad name in it, UsageError for a bad
    --project-name.
    """
    return settings_phase.resolve(
        request,
        Files(Disk(request.working_dir, request.fetch), request.environment),
        lambda _text: None,
    )


def load_project(request: LoadRequest) -> Loaded:
    """The project that the files mean.

    Raises ProjectError where the files are wrong, UsageError where the request is.
    """
    composed = compose_document(request)
    from compose.loader.bind import bind

    project = bind(composed)
    if request.compatibility:
        project = changed(project, separator="_")
    return Loaded(project, composed.warnings, composed.settings)


def load_model(request: LoadRequest) -> tuple[dict[str, Any], Settings, tuple[str, ...]]:
    """The canonical tree before it becomes a document: what --no-interpolate and --variables show.

    Raises ProjectError, UsageError.
    """
    return _all_told(request, lambda run: run.model(bare=not request.interpolate))


def compose_document(request: LoadRequest) -> Composed:
    """The project's full document. Raises ProjectError, UsageError."""
    return _all_told(request, _Run.composed)


def _all_told(request: LoadRequest, work: Callable[[_Run], T]) -> T:
    """A load; if it fails, the error tells of all that is wrong, not of the first thing alone."""
    files = Files(Disk(request.working_dir, request.fetch), request.environment)
    try:
        return work(_Run(request, files))
    except ProjectError as error:
        from compose.loader.diagnose import every_error

        raise every_error(error, lambda: work(_Run(request, files))) from None
    except RecursionError:
        raise ProjectError("the project is nested too deeply: make its files flatter") from None


def service_hash(service: Service) -> str:
    """Hex SHA-256 of the service's configuration: equal to docker compose's `config --hash`.

    What does not make a container different is not part of it: build, scale, profiles and so on.
    """
    return document_hash(service.document)


def document_hash(service: Mapping[str, Any]) -> str:
    """The same of a service's JSON document."""
    from compose.loader.go_json import compact_json

    left_out = {"build", "pull_policy", "scale", "depends_on", "profiles"}
    parts = {key: value for key, value in service.items() if key not in left_out}
    if "deploy" in parts:
        parts["deploy"] = {key: v for key, v in parts["deploy"].items() if key != "replicas"}
    return digest(compact_json(parts))


class _Run:
    """One load from beginning to end."""

    def __init__(self, request: LoadRequest, files: Files) -> None:
        self._request = request
        self._files = files
        self._disk = files.disk
        self._warnings: list[str] = []
        home = request.environment.get("HOME", "")
        self._assembly = Assembly(request, files, home, self._warnings.append)

    def model(self, *, bare: bool = False) -> tuple[dict[str, Any], Settings, tuple[str, ...]]:
        """The tree; `bare` knows no variable but the project's name, as the reference's raw model."""
        request = self._request
        settings = settings_phase.resolve(request, self._files, self._warnings.append)
        if not settings.files:
            raise ProjectError(NO_FILES)
        folder, variables = settings.working_dir, settings.environment
        if bare:
            variables = {"COMPOSE_PROJECT_NAME": settings.name}
        tree = self._assembly.model(
            settings.files,
            Scope(folder, folder, variables, ()),
            resolve_paths=request.resolve_paths,
        )
        if not tree:
            files = " and ".join(map(self._disk.shown, settings.files))
            raise self._assembly.located(
                FaultError((), f"{files}: an empty compose file: add services", ())
            )
        if not settings.name:
            raise ProjectError("project name must not be empty: give one with --project-name")
        if request.normalize:
            try:
                tree = normalize(tree, settings.name, variables)
            except FaultError as fault:
                raise self._assembly.located(fault) from None
        return tree, settings, tuple(dict.fromkeys(self._warnings))

    def composed(self) -> Composed:
        tree, settings, _ = self.model()
        try:
            full, disabled = self._selected(tree, settings)
        except FaultError as fault:
            raise self._assembly.located(fault) from None
        return Composed(full, disabled, settings, tuple(dict.fromkeys(self._warnings)))

    def _selected(
        self, tree: dict[str, Any], settings: Settings
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        request = self._request
        full = document({**tree, "name": settings.name})
        services = full.pop("services", {})
        active, disabled = select.enabled(services, settings.profiles)
        head = {"name": full.pop("name")}
        if request.consistency:
            check_consistency({**full, "services": active}, disabled)
            active = {name: with_replicas(service) for name, service in active.items()}
            services = services | active
        warn = self._warnings.append
        if request.services:
            more = select.profiles_of(request.services, disabled)
            active, disabled = select.enabled(services, (*settings.profiles, *more))
            names = select.closure(request.services, active)
            kept = select.only(names, active)
            disabled |= {name: service for name, service in active.items() if name not in kept}
            active = kept
        if request.consistency and request.distinct_names:
            check_names(active)
        for name in active:
            path, service = ("services", name), active[name]
            if request.resolve_environment:
                service = with_environment(service, path, settings.environment, self._disk, warn)
            active[name] = in_order(with_labels(service, path, self._disk, warn))
        project = {**head, "services": active, **full}
        return (project if request.all_resources else select.used(project)), disabled


def with_replicas(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """The service with its scale as deploy.replicas too, where it has a deploy."""
    if "scale" not in service or "deploy" not in service:
        return service
    deploy = {"mode": "", "replicas": service["scale"], **service["deploy"]}
    if "mode" not in service["deploy"]:
        del deploy["mode"]
    return {**service, "deploy": deploy}


def in_order(service: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes in the order in which they are printed; extensions last."""
    from compose.loader.shapes import SHAPES

    ordered = {name: service[name] for name in SHAPES["service"] if name in service}
    return ordered | {name: value for name, value in service.items() if name not in ordered}


def project_document(composed: Composed) -> dict[str, Any]:
    """What `config --format json` prints, before `$` is doubled."""
    return as_json(dict(composed.full))
