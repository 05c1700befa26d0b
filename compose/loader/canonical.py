"""Phase 7: every short syntax becomes the long one. Pure.

`lenient` (with --no-interpolate) leaves alone what cannot be read because of its variables.
Source: the Compose Specification, the short and long syntax of each attribute.
"""

from __future__ import annotations

from compose.loader.mounts import clean_target, lost_option, parse_mount
from compose.loader.ports import parse_port
from compose.loader.tree import FaultError, dotted, kind, raise_all, rewrite, table
from compose.loader.units import go_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Path = tuple[str | int, ...]


def canonical(tree: Any, *, lenient: bool, warn: Callable[[str], None]) -> Any:
    """The tree in long syntax. Raises FaultError for what cannot be read, unless lenient."""
    faults: list[FaultError] = []

    def apply(action: Callable[..., Any], value: Any, path: Path) -> Any:
        try:
            return action(value, path, warn) if action in _TALKING else action(value, path)
        except ValueError as error:
            if not lenient:
                faults.append(FaultError(path, str(error)))
        except _PortError as fault:
            if not lenient:
                faults.append(fault)
        except FaultError as fault:
            faults.append(fault)
        return value

    long = rewrite(tree, _LONG, (), apply)
    raise_all(faults)
    return long


class _PortError(FaultError):
    """A text that means no port: a fault unless variables may still change it."""


def _wrong(value: Any, path: Path, wanted: str) -> FaultError:
    return FaultError(path, f"must be {wanted}, not {kind(value)}")


def _context(value: Any, path: Path) -> Any:
    if isinstance(value, str):
        return {"context": value}
    if not isinstance(value, dict):
        raise _wrong(value, path, "a path or a mapping")
    return value


def _source(value: Any, path: Path) -> Any:
    if isinstance(value, str):
        return {"source": value}
    if not isinstance(value, dict):
        raise _wrong(value, path, "a name or a mapping")
    return value


def _text(value: Any, _path: Path) -> Any:
    return value if isinstance(value, str) else go_text(value)


def _pairs(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        mapping = {}
        for entry in value:
            key, equals, rest = str(entry).partition("=")
            if not equals:
                raise ValueError(f"invalid value {entry!r}: write it as name=value")
            mapping[key] = rest
        return mapping
    if not isinstance(value, dict):
        raise _wrong(value, path, "a mapping")
    return value


def _dependencies(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        started = {"condition": "service_started", "required": True}
        return {name: dict(started) for name in _names(value, path)}
    if not isinstance(value, dict):
        raise _wrong(value, path, "a list of services or a mapping")
    for name, entry in value.items():
        if not isinstance(entry, dict):
            raise _wrong(entry, (*path, name), "a mapping with a condition")
    defaults = {"condition": "service_started", "required": True}
    return {
        name: entry | {key: default for key, default in defaults.items() if key not in entry}
        for name, entry in value.items()
    }


def _env_files(value: Any, path: Path) -> Any:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise _wrong(value, path, "a path or a list of paths")
    files = []
    for entry in value:
        file = {"path": entry} if isinstance(entry, str) else entry
        files.append(file if "required" in file else {**file, "required": True})
    return files


def _list(value: Any, _path: Path) -> Any:
    return [value] if isinstance(value, str) else value


def _dns(value: Any, _path: Path) -> Any:
    value = [value] if isinstance(value, str) else value
    return [entry for entry in value if entry] if isinstance(value, list) else value


def _service(value: Any, path: Path) -> Any:
    if isinstance(value, str):
        return {"service": value}
    if not isinstance(value, dict):
        raise _wrong(value, path, "a service's name or a mapping")
    return value


def _gpus(value: Any, path: Path) -> Any:
    if isinstance(value, str):
        return [{"count": "all"}]
    if not isinstance(value, list):
        raise _wrong(value, path, '"all" or a list')
    return value


def _names(value: Any, path: Path) -> Any:
    if not isinstance(value, list):
        return value
    for index, name in enumerate(value):
        if not isinstance(name, str):
            raise _wrong(name, (*path, index), "a name")
    return dict.fromkeys(value)


def _mount(value: Any, path: Path, warn: Callable[[str], None]) -> Any:
    if isinstance(value, str):
        _warn_of_drive(value, path, warn)
        mount = parse_mount(value)
        if lost := lost_option(value):
            warn(f"{dotted(path)}: {lost}")
        return {**mount, "target": clean_target(mount["target"])}
    if not isinstance(value, dict):
        raise _wrong(value, path, "a string or a mapping")
    return value


def _ignored(value: Any, path: Path, warn: Callable[[str], None]) -> Any:
    if value:
        warn(f"{dotted(path)} is ignored, as docker compose does: remove it")
    return value


def _warn_of_drive(value: str, path: Path, warn: Callable[[str], None]) -> None:
    """`v:/v` is what a volume `v` at /v would look like, but is a path of Windows, and so anonymous."""
    if value[1:3] == ":/" and value[0].isalpha() and ":/" not in value[3:]:
        warn(
            f"{dotted(path)}: {value!r} reads as a path of Windows, not as volume {value[0]!r}:"
            " give the volume a name of two letters or more"
        )


def _device(value: Any, path: Path) -> Any:
    if isinstance(value, str):
        parts = value.split(":")
        if len(parts) > 3:
            raise ValueError(f"confusing device {value!r}: use the long syntax")
        source, target, permissions = (*parts, "", "rwm")[:3] if len(parts) < 3 else parts
        if len(parts) < 3:
            permissions = "rwm"
        return {"source": source, "target": target or source, "permissions": permissions}
    if not isinstance(value, dict):
        raise _wrong(value, path, "a string or a mapping")
    return value


def _ports(value: Any, path: Path) -> Any:
    if not isinstance(value, list):
        raise _wrong(value, path, "a list")
    ports: list[Any] = []
    for index, entry in enumerate(value):
        if isinstance(entry, dict):
            ports.append(entry)
        elif isinstance(entry, str | int) and not isinstance(entry, bool):
            try:
                ports += parse_port(str(entry))
            except ValueError as error:
                raise _PortError((*path, index), str(error)) from None
        else:
            raise _wrong(entry, (*path, index), "a port")
    return ports


def _ssh(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        keys: dict[str, Any] = {}
        for entry in value:
            name, equals, place = str(entry).partition("=")
            if not equals and name != "default":
                raise ValueError(f'invalid ssh key {entry!r}: write "default" or name=path')
            keys[name] = place if equals else None
        return keys
    if not isinstance(value, dict):
        raise _wrong(value, path, "a list or a mapping")
    return value


def _limit(value: Any, path: Path) -> Any:
    if isinstance(value, dict) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _wrong(value, path, "a number or a mapping with soft and hard")


def _external(value: Any, path: Path, warn: Callable[[str], None]) -> Any:
    """`external: {name: x}`, deprecated, is `external: true` with `name: x`."""
    if not isinstance(value, dict) or not isinstance(value.get("external"), dict):
        return value
    resource = {**value, "external": True}
    name = value["external"].get("name")
    if name is not None:
        warn(
            f"{'.'.join(map(str, path))}: external.name is deprecated. Please set name and external: true"
        )
        if value.get("name", name) != name:
            raise FaultError(path, "name and external.name conflict: only use name")
        resource["name"] = name
    return resource


#: Actions that may have to say something.
_TALKING = frozenset({_external, _mount, _ignored})
_LONG = table(
    {
        "services.*.build": _context,
        "services.*.build.secrets.*": _source,
        "services.*.build.provenance": _text,
        "services.*.build.sbom": _text,
        "services.*.build.additional_contexts": _pairs,
        "services.*.build.ssh": _ssh,
        "services.*.build.ulimits.*": _limit,
        "services.*.depends_on": _dependencies,
        "services.*.env_file": _env_files,
        "services.*.label_file": _list,
        "services.*.extends": _service,
        "services.*.gpus": _gpus,
        "services.*.networks": _names,
        "services.*.models": _names,
        "services.*.volumes.*": _mount,
        "services.*.dns": _dns,
        "services.*.devices.*": _device,
        "services.*.secrets.*": _source,
        "services.*.configs.*": _source,
        "services.*.ports": _ports,
        "services.*.ulimits.*": _limit,
        "services.*.develop.watch.*.ignore": _list,
        "services.*.develop.watch.*.include": _list,
        "volumes.*": _external,
        "networks.*": _external,
        "networks.*.ipam.options": _ignored,
        "secrets.*": _external,
        "configs.*": _external,
    }
)
