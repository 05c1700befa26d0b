"""Which project it is: its name, files, folder, profiles and variables, before any service is read.

Source: the Compose Specification, name; docker compose's environment variables COMPOSE_FILE,
COMPOSE_PATH_SEPARATOR, COMPOSE_PROFILES, COMPOSE_PROJECT_NAME, COMPOSE_ENV_FILES and
COMPOSE_DISABLE_ENV_FILE.
"""

from __future__ import annotations

import os.path

from compose.errors import ProjectError, UsageError
from compose.loader import dotenv
from compose.loader.paths import is_remote
from compose.loader.template import TemplateError, substitute
from compose.model.record import Record, changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from compose.loader.files import Files
    from compose.loader.request import LoadRequest
    from compose.loader.sources import Disk

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)

_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
#: What of .env speaks of files; the rest of its COMPOSE_ variables are settings of the command.
_OF_THE_PLACE = (
    "COMPOSE_FILE",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_ENV_FILES",
    "COMPOSE_DISABLE_ENV_FILE",
)


class Settings(Record):
    """The answers; `files` are absolute, "-" is standard input, () if there are none."""

    name: str
    files: tuple[str, ...]
    working_dir: str
    profiles: tuple[str, ...]
    environment: Mapping[str, str]
    env_files: tuple[str, ...] = ()


class _Place(Record):
    """Where the project lies and what its variables are: all that is known without reading YAML."""

    files: tuple[str, ...]
    working_dir: str
    variables: dict[str, str]
    env_files: tuple[str, ...]


def resolve(request: LoadRequest, opened: Files, warn: Callable[[str], None]) -> Settings:
    """The settings. Raises ProjectError, UsageError."""
    if request.project_name and request.project_name != normal_name(request.project_name):
        raise UsageError(_invalid(request.project_name))
    found = _place(request, opened.disk, warn)
    place = _fetched(found, request, opened.disk)
    variables = place.variables
    profiles = request.profiles or tuple(
        # Nothing said is the profile "", as in the reference: a service may name it.
        part.strip()
        for part in variables.get("COMPOSE_PROFILES", "").split(",")
    )
    name = _name(request, place.files, found.working_dir, variables, opened, warn)
    variables["COMPOSE_PROJECT_NAME"] = name
    return Settings(name, place.files, place.working_dir, profiles, variables, place.env_files)


def _fetched(place: _Place, request: LoadRequest, disk: Disk) -> _Place:
    """The same with files from elsewhere on this machine; the first such has the project's folder."""
    remote = [file for file in place.files if is_remote(file)]
    if not remote:
        return place
    local = {file: disk.local(file) for file in remote}
    folder = os.path.dirname(local[remote[0]])  # noqa: PTH120
    return changed(
        place,
        files=tuple(local.get(file, file) for file in place.files),
        working_dir=place.working_dir if request.project_directory else folder,
    )


def settings_in_env_files(request: LoadRequest, disk: Disk) -> dict[str, str]:
    """The COMPOSE_ variables of .env (or --env-file) that act as if the shell had them.

    Not those that say where the project lies: `resolve` reads them, each with its own rule. A file
    that cannot be read has none: `resolve` tells what is wrong with it.
    """
    try:
        variables = _place(request, disk, lambda _text: None).variables
    except (ProjectError, UsageError):
        return {}
    return {
        name: value
        for name, value in variables.items()
        if name.startswith("COMPOSE_") and name not in _OF_THE_PLACE
    }


def _place(request: LoadRequest, disk: Disk, warn: Callable[[str], None]) -> _Place:
    folder = disk.absolute(request.project_directory) if request.project_directory else ""
    variables = dict(request.environment)
    variables.setdefault("PWD", disk.folder)
    env_files = request.env_files or tuple(
        filter(None, request.environment.get("COMPOSE_ENV_FILES", "").split(","))
    )
    files = tuple(_known(file, disk) for file in request.files)
    read = _dotenv(env_files, _folder(folder, files, disk), variables, disk, warn, ())
    if not files:
        files = _named_files(variables, disk) or discover(folder or disk.folder, disk, warn)
    working_dir = _folder(folder, files, disk)
    read = _dotenv(env_files, working_dir, variables, disk, warn, read)
    return _Place(files, working_dir, variables, read)


def _known(file: str, disk: Disk) -> str:
    """A file as it is known from here on: by its absolute path, unless it is no file of this disk."""
    return file if file == "-" or is_remote(file) else disk.absolute(file)


def _folder(folder: str, files: Iterable[str], disk: Disk) -> str:
    """The project's folder: as told, or that of the first file."""
    first = next((file for file in files if file != "-"), None)
    if folder or first is None or is_remote(first):
        return folder or disk.folder
    return os.path.dirname(first)  # noqa: PTH120


def _dotenv(
    env_files: tuple[str, ...],
    folder: str,
    variables: dict[str, str],
    disk: Disk,
    warn: Callable[[str], None],
    before: tuple[str, ...],
) -> tuple[str, ...]:
    """Add what .env, or the files instead of it, say and the shell does not; returns the files read."""
    files = env_files
    if not files:
        if _disabled(variables.get("COMPOSE_DISABLE_ENV_FILE")):
            return ()
        default = f"{folder.rstrip('/')}/.env"
        files = (default,) if disk.exists(default) and not disk.is_folder(default) else before
    if files == before:
        return files
    found: dict[str, str] = {}
    for file in files:
        found = read_env_file(file, disk, variables.get, warn, found)
    for name, value in found.items():
        variables.setdefault(name, value)
    return files


def _disabled(text: str | None) -> bool:
    """Whether .env is not to be read; what is neither yes nor no (as Go reads a boolean) is an error."""
    if text is None or text in {"0", "f", "F", "false", "False", "FALSE"}:
        return False
    if text in {"1", "t", "T", "true", "True", "TRUE"}:
        return True
    raise UsageError(f"COMPOSE_DISABLE_ENV_FILE must be true or false, not {text!r}: set it so")


def read_env_file(
    file: str,
    disk: Disk,
    lookup: Callable[[str], str | None],
    warn: Callable[[str], None],
    known: dict[str, str],
) -> dict[str, str]:
    """The variables of a file over those `known`. Raises ProjectError."""
    if not disk.exists(file):
        raise ProjectError(f"couldn't find env file: {disk.absolute(file)}: check --env-file")
    if disk.is_folder(file):
        raise ProjectError(f"{disk.absolute(file)} is a folder: an env file is wanted")
    try:
        return dotenv.parse(disk.read_text(file, warn), lookup, warn, known)
    except dotenv.DotenvError as error:
        raise ProjectError(error.within(disk.shown(file))) from None


def _named_files(variables: Mapping[str, str], disk: Disk) -> tuple[str, ...]:
    named = variables.get("COMPOSE_FILE")
    if named is None:
        return ()
    parts = named.split(variables.get("COMPOSE_PATH_SEPARATOR") or ":")
    files = tuple(_known(part, disk) for part in parts)
    for file in files:
        if file != "-" and not is_remote(file) and not disk.exists(file):
            raise ProjectError(f"{file}: no such file: check COMPOSE_FILE")
    return files


def discover(folder: str, disk: Disk, warn: Callable[[str], None]) -> tuple[str, ...]:
    """The project's file and its override, in the folder or the nearest one above that has any."""
    while True:
        found = _existing(NAMES, folder, disk)
        if found:
            files = [_first(found, "config", warn)]
            overrides = _existing(OVERRIDES, folder, disk)
            if overrides:
                files.append(_first(overrides, "override", warn))
            return tuple(files)
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return ()
        folder = parent


def _existing(names: Iterable[str], folder: str, disk: Disk) -> list[str]:
    return [path for name in names if disk.exists(path := f"{folder.rstrip('/')}/{name}")]


def _first(found: list[str], what: str, warn: Callable[[str], None]) -> str:
    if len(found) > 1:
        warn(f"Found multiple {what} files with supported names: {', '.join(found)}")
        warn(f"Using {found[0]}")
    return found[0]


def normal_name(text: str) -> str:
    """The text as a project's name: lower case, letters, digits, `-` and `_`, not beginning with these."""
    return "".join(char for char in text.lower() if char in _NAME).lstrip("_-")


def _invalid(name: str) -> str:
    return (
        f"invalid project name {name!r}: use lower-case letters, digits, hyphens and underscores,"
        " beginning with a letter or digit"
    )


def _name(
    request: LoadRequest,
    files: tuple[str, ...],
    working_dir: str,
    variables: Mapping[str, str],
    opened: Files,
    warn: Callable[[str], None],
) -> str:
    name = request.project_name or variables.get("COMPOSE_PROJECT_NAME", "")
    if name:
        if name != normal_name(name):
            raise ProjectError(_invalid(name))
        return name
    named, source = "", None
    for document in (entry for file in files for entry in opened.documents(file)):
        said = document.tree.get("name") if isinstance(document.tree, dict) else None
        if isinstance(said, str | int | float) and said != "":
            named, source = str(said), document
    if not named or source is None:
        return normal_name(os.path.basename(working_dir))  # noqa: PTH119
    if request.interpolate:
        try:
            named = substitute(named, variables.get, _unset(warn))
        except TemplateError as error:
            raise ProjectError(f"{source.place(('name',))}: name: {error}") from None
    return normal_name(named) if request.normalize else named


def _unset(warn: Callable[[str], None]) -> Callable[[str], None]:
    return lambda name: warn(unset_warning(name))


def unset_warning(name: str) -> str:
    """What is said of a variable without a value."""
    return f'The "{name}" variable is not set. Defaulting to a blank string.'
