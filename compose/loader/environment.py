"""Files that services name: env_file into environment, label_file into labels."""

from __future__ import annotations

from compose.errors import ProjectError
from compose.loader import dotenv
from compose.loader.settings import unset_warning
from compose.loader.tree import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from compose.loader.sources import Disk

    Path = tuple[str | int, ...]


def with_environment(
    service: Mapping[str, Any],
    path: Path,
    variables: Mapping[str, str],
    disk: Disk,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    """The service with its env_file read into its environment, which wins. Raises FaultError."""
    inline = {
        name: variables.get(name) if value is None else value
        for name, value in service.get("environment", {}).items()
    }
    found = {name: value for name, value in inline.items() if value is not None}

    def lookup(name: str) -> str | None:
        value = variables.get(name)
        return inline.get(name) if value is None else value

    for index, file in enumerate(service.get("env_file", ())):
        place = (*path, "env_file", index)
        if disk.exists(file["path"]):
            form = file.get("format", "")
            found = _read(file["path"], form, place, disk, lookup, warn, found)
        elif file["required"]:
            raise FaultError(
                place,
                f"env file {disk.shown(file['path'])} not found: create it, or say required: false",
            )
    found_or_null: dict[str, str | None] = {**found, **inline}
    resolved = {key: value for key, value in service.items() if key != "env_file"}
    if found_or_null or "environment" in resolved:
        resolved["environment"] = dict(sorted(found_or_null.items()))
    return resolved


def with_labels(
    service: Mapping[str, Any], path: Path, disk: Disk, warn: Callable[[str], None]
) -> dict[str, Any]:
    """The service with its label_file read into its labels, which win. Raises FaultError."""
    labels: dict[str, str] = {}
    for index, file in enumerate(service.get("label_file", ())):
        place = (*path, "label_file", index)
        if not disk.exists(file):
            raise FaultError(place, f"label file {disk.shown(file)} not found: create it")
        labels |= _read(file, "", place, disk, labels.get, warn, {})
    labels |= service.get("labels", {})
    resolved = {key: value for key, value in service.items() if key != "label_file"}
    if labels:
        resolved["labels"] = dict(sorted(labels.items()))
    return resolved


def _read(
    file: str,
    form: str,
    place: Path,
    disk: Disk,
    lookup: Callable[[str], str | None],
    warn: Callable[[str], None],
    known: dict[str, str],
) -> dict[str, str]:
    try:
        match form:
            case "" | ".env":
                text = disk.read_text(file, warn)
                return dotenv.parse(text, lookup, lambda name: warn(unset_warning(name)), known)
            case "raw":
                return known | dotenv.parse_raw(disk.read_text(file, warn))
            case _:
                raise FaultError(
                    place, f"unsupported env_file format {form!r}: leave it out, or use raw"
                )
    except dotenv.DotenvError as error:
        raise FaultError(place, error.within(disk.shown(file))) from None
    except ProjectError as error:
        raise FaultError(place, str(error)) from None
