"""The phases over all files: each file read, interpolated, extended, merged and validated in turn.

Source: the reference's order, which shows: validation runs after each merge, extends before include,
canonical syntax after both, defaults and paths when all files are in.
"""

from __future__ import annotations

import posixpath

from compose.errors import ComposeError, ProjectError
from compose.loader import checks, paths
from compose.loader.canonical import canonical
from compose.loader.defaults import defaults
from compose.loader.documents import find
from compose.loader.interpolate import interpolate
from compose.loader.legacy import NOTE
from compose.loader.merge import merge, without
from compose.loader.settings import read_env_file, unset_warning
from compose.loader.tree import FaultError, dotted, kind
from compose.loader.unique import unique
from compose.loader.validate import validate
from compose.model.record import Record, changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from compose.loader import extends, include
    from compose.loader.documents import Document, Place
    from compose.loader.files import Files
    from compose.loader.request import LoadRequest

    Path = tuple[str | int, ...]

_OBSOLETE = "the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion"


class Scope(Record):
    """Where a set of files stands: an include has one of its own."""

    folder: (
        str  # what relative paths are joined to; inside an include, relative to the outer folder
    )
    location: str  # the same folder, absolute: where files are looked for
    variables: Mapping[str, str]
    chain: tuple[str, ...]  # the files whose include led here


class LocatedError(ProjectError):
    """Faults that one phase found, each with its place: a line each, `file:line:column: path: what`."""

    def __init__(self, places: Sequence[tuple[FaultError, Place | None]]) -> None:
        super().__init__("\n".join(line_of(fault, place) for fault, place in places))
        self.places = places


def line_of(fault: FaultError, place: Place | None) -> str:
    """What is printed of a fault."""
    # As its own file has it: an index counts the entries there, not those of a merged list.
    path = place.path + fault.path[len(place.path) :] if place else fault.path
    parts = (str(place) if place else "", dotted(path), fault.problem)
    return ": ".join(part for part in parts if part)


class Assembly:
    """One load: what all phases share."""

    def __init__(
        self, request: LoadRequest, files: Files, home: str, warn: Callable[[str], None]
    ) -> None:
        self._request = request
        self._files = files
        self._disk = files.disk
        self._home = home
        self._warn = warn
        self._warned: set[str] = set()
        self._documents: list[Document] = []

    def located(self, fault: FaultError, documents: Sequence[Document] = ()) -> LocatedError:
        """The fault, and those found with it, with the places where their paths were written."""
        places = [
            (one, find(one.path, documents or self._documents)) for one in (fault, *fault.others)
        ]
        return LocatedError(places)

    def model(
        self,
        files: Iterable[str],
        scope: Scope,
        *,
        resolve_paths: bool,
    ) -> dict[str, Any]:
        """The tree of a set of files, the later over the earlier. Raises ProjectError."""
        tree: dict[str, Any] = {}
        for file in files:
            for document in self._files.documents(file):
                self._documents.append(document)
                tree = self._add(tree, document, file, scope)
        try:
            tree = defaults(tree)
            checks.check(tree)
            if resolve_paths:
                tree = paths.resolve(tree, scope.folder, self._home, self._disk.real)
            return _with_environment(tree, scope.variables)
        except FaultError as fault:
            raise self.located(fault) from None

    def _add(
        self, tree: dict[str, Any], document: Document, file: str, scope: Scope
    ) -> dict[str, Any]:
        """One more document over the tree."""
        if document.is_legacy:
            self._once(f"{self._disk.shown(file)}: {NOTE}")
        own = self._interpolated(document, scope)
        try:
            own = self._extended(own, document, file, scope)
            tree = without(tree, document.resets)
            own = self._included(own, document, file, scope)
            tree = unique(merge(tree, own))
            validate(tree)
        except FaultError as fault:
            raise self.located(fault) from None
        if "version" in tree:
            self._once(f"{file}: {_OBSOLETE}")
            tree = {key: value for key, value in tree.items() if key != "version"}
        try:
            lenient = not self._request.interpolate
            long: dict[str, Any] = canonical(tree, lenient=lenient, warn=self._warn)
            unified: dict[str, Any] = unique(long)
        except FaultError as fault:
            raise self.located(fault) from None
        return unified

    def _once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)

    def _interpolated(self, document: Document, scope: Scope) -> dict[str, Any]:
        tree: dict[str, Any] = document.tree
        if not isinstance(tree, dict):
            fault = FaultError((), "the top level must be a mapping: begin with `services:`")
            raise self.located(fault, [document])
        if not self._request.interpolate:
            return tree

        def warn(name: str) -> None:
            self._warn(unset_warning(name))

        try:
            interpolated: dict[str, Any] = interpolate(tree, scope.variables.get, warn)
        except FaultError as fault:
            raise self.located(fault, [document]) from None
        return interpolated

    def _extended(
        self, tree: dict[str, Any], document: Document, file: str, scope: Scope
    ) -> dict[str, Any]:
        services = tree.get("services")
        if "services" in tree and not isinstance(services, dict):
            advice = (
                "remove it, or write services below it" if services is None else "write a mapping"
            )
            raise FaultError(("services",), f"must be a mapping, not {kind(services)}: {advice}")
        if services is None or not any(
            isinstance(service, dict) and "extends" in service
            for service in (services.values() if isinstance(services, dict) else ())
        ):
            return tree
        from compose.loader import extends

        origin = extends.Origin(self._disk.shown(file), services, document.resets)
        return {**tree, "services": extends.extend(origin, self._base_loader(scope))}

    def _base_loader(self, scope: Scope) -> extends.Load:
        from compose.loader import extends

        def load(file: str, service: str, path: Path) -> extends.Origin:
            file = self._here(file, path)
            absolute = self._local(file, scope, path)
            folder = posixpath.dirname(file)
            tree: dict[str, Any] = {}
            resets: tuple[Path, ...] = ()
            for document in self._files.documents(absolute):
                self._documents.insert(0, document)
                resets = document.resets
                own = self._interpolated(document, scope)
                try:
                    merged = unique(merge(without(tree, resets), own))
                    tree = unique(canonical(merged, lenient=True, warn=self._warn))
                except FaultError as fault:
                    raise self.located(fault, [document]) from None
            services = tree.get("services")
            if not isinstance(services, dict):
                where = self._disk.shown(absolute)
                raise FaultError(
                    path, f"cannot extend service {service!r}: {where} has no services"
                )
            resolved = paths.resolve(
                {"services": services}, folder or ".", self._home, self._disk.real
            )
            return extends.Origin(self._disk.shown(absolute), resolved["services"], resets)

        return load

    def _here(self, name: str, path: Path) -> str:
        """A file's name, or the local one of a file that lies elsewhere."""
        if not paths.is_remote(name):
            return name
        try:
            return self._disk.local(name)
        except ComposeError as error:
            raise FaultError(path, str(error)) from None

    def _local(self, file: str, scope: Scope, path: Path) -> str:
        """The file that another one names at `path`."""
        found = paths.join(scope.location, paths.expand(file, self._home))
        if not self._disk.exists(found):
            raise FaultError(path, f"{self._disk.shown(found)}: no such file: check the path")
        if self._disk.is_folder(found):
            raise FaultError(path, f"{self._disk.shown(found)} is a folder: name the file in it")
        return found

    def _included(
        self, tree: dict[str, Any], document: Document, file: str, scope: Scope
    ) -> dict[str, Any]:
        if "include" not in tree:
            return tree
        from compose.loader import include

        include.check_sections(tree)
        for written in include.entries(tree["include"]):
            here = tuple(self._here(name, written.place) for name in written.paths)
            entry = changed(written, paths=here)
            inner = self._scope_of(entry, file, scope)
            files = [self._local(path, scope, entry.place) for path in entry.paths]
            model = self.model(files, inner, resolve_paths=True)
            tree = include.import_into(tree, model)
        return {key: value for key, value in tree.items() if key != "include"}

    def _scope_of(self, entry: include.Included, file: str, scope: Scope) -> Scope:
        main = paths.join(scope.location, entry.paths[0])
        chain = (*scope.chain, file)
        if main in chain:
            circle = " includes ".join(map(self._disk.shown, (*chain, main)))
            raise FaultError(entry.place, f"include cycle: {circle}: remove one")
        told = paths.expand(entry.project_directory, self._home)
        folder = told or posixpath.dirname(entry.paths[0])
        location = paths.join(scope.location, folder)
        if told and not self._disk.is_folder(location):
            folder = posixpath.dirname(folder)  # what is no folder is taken for a file in one
        env_files = [paths.join(scope.location, name) for name in entry.env_files]
        if not env_files:
            default = f"{location}/.env"
            env_files = [default] if self._disk.exists(default) else []
        found: dict[str, str] = {}
        for name in env_files:
            found = read_env_file(name, self._disk, scope.variables.get, self._warn, found)
        return Scope(folder or ".", location, {**found, **scope.variables}, chain)


def _with_environment(tree: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """`- NAME` entries of services and `environment` of configs get their values now."""
    tree = dict(tree)
    services = tree.get("services")
    if isinstance(services, dict):
        tree["services"] = {name: _named_values(s, variables) for name, s in services.items()}
    configs = tree.get("configs")
    if isinstance(configs, dict):
        tree["configs"] = {
            name: {**config, "content": variables[config["environment"]]}
            if isinstance(config, dict) and config.get("environment") in variables
            else config
            for name, config in configs.items()
        }
    return tree


def _named_values(service: Any, variables: Mapping[str, str]) -> Any:
    entries = service.get("environment") if isinstance(service, dict) else None
    if not isinstance(entries, list):
        return service
    found = [f"{name}={variables[name]}" if name in variables else name for name in entries]
    return {**service, "environment": found}
