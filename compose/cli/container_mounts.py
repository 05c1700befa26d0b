"""--volume, --mount and --tmpfs -> HostConfig's Binds, Mounts and Tmpfs. Pure.

Source: docker's documentation of --mount and --volume.
"""

from __future__ import annotations

import csv

from compose.cli.quantities import size
from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from compose.cli.flags import Options

TYPES = ("bind", "volume", "tmpfs", "image")
NAMES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
RECURSIVE = {
    "enabled": {},
    "disabled": {"NonRecursive": True},
    "writable": {"ReadOnlyNonRecursive": True},
    "readonly": {"ReadOnlyForceRecursive": True},
}
SWITCHES = ("readonly", "volume-nocopy", "bind-nonrecursive")
#: Field -> where it is in the mount's BindOptions, VolumeOptions ...
OPTIONS = {
    "bind-propagation": "Propagation",
    "bind-nonrecursive": "NonRecursive",
    "bind-create-src": "CreateMountpoint",
    "bind-recursive": "",
    "volume-nocopy": "NoCopy",
    "volume-subpath": "Subpath",
    "volume-label": "Labels",
    "volume-driver": "DriverConfig.Name",
    "volume-opt": "DriverConfig.Options",
    "image-subpath": "Subpath",
    "tmpfs-size": "SizeBytes",
    "tmpfs-mode": "Mode",
}


def mount_keys(options: Options, folder: str) -> dict[str, Any]:
    """Binds, Mounts, Tmpfs, and "anonymous" for Config.Volumes. Raises UsageError."""
    binds: list[str] = []
    anonymous: dict[str, dict[str, str]] = {}
    for text in options.volume:
        source, colon, rest = text.partition(":")
        if not colon:
            if not text.startswith("/"):
                raise UsageError(
                    f"invalid volume specification: '{text}': mount path must be absolute"
                )
            anonymous[text] = {}
            continue
        if source.startswith("."):
            source = absolute(folder, source)
        binds.append(f"{source}:{rest}")
    found: dict[str, Any] = {
        "Binds": binds,
        "Mounts": [mount(text, folder) for text in options.mount],
        "Tmpfs": dict(entry.partition(":")[::2] for entry in options.tmpfs),
        "anonymous": anonymous,
    }
    return {key: value for key, value in found.items() if value}


def absolute(folder: str, path: str) -> str:
    """A relative path below the current folder."""
    from os.path import normpath

    return normpath(f"{folder}/{path}")


def mount(text: str, folder: str) -> dict[str, Any]:
    """One --mount: comma-separated fields, in CSV. Raises UsageError."""
    body: dict[str, Any] = {"Type": "volume"}
    more: dict[str, dict[str, Any]] = {kind: {} for kind in TYPES}
    (fields,) = csv.reader([text])
    for field in fields:
        key, equals, value = field.partition("=")
        key = NAMES.get(key.lower(), key.lower())
        if not equals and key not in SWITCHES:
            raise UsageError(f"invalid field '{field}' must be a key=value pair: --mount {text}")
        value = value if equals else "true"
        if key in ("type", "source", "target", "consistency"):
            body[key.capitalize()] = value.lower() if key == "type" else value
        elif key == "readonly":
            body["ReadOnly"] = switch(key, value)
        elif key in OPTIONS:
            put(key, value, more[key.partition("-")[0]])
        else:
            raise UsageError(f"unexpected key '{key}' in --mount {text}")
    return checked(body, more, text, folder)


def put(key: str, value: str, options: dict[str, Any]) -> None:
    """Keep an option of one kind of mount. Raises UsageError."""
    if key == "bind-recursive":
        if value not in RECURSIVE:
            raise UsageError(f"invalid value for {key}: {value}: use {', '.join(RECURSIVE)}")
        options.update(RECURSIVE[value])
        return
    *path, last = OPTIONS[key].split(".")
    for name in path:
        options = options.setdefault(name, {})
    if key in ("volume-label", "volume-opt"):
        name, _, said = value.partition("=")
        options.setdefault(last, {})[name] = said
    else:
        options[last] = READERS[key](key, value) if key in READERS else value


def switch(key: str, value: str) -> bool:
    """true or false. Raises UsageError."""
    if value.lower() not in ("1", "t", "true", "0", "f", "false"):
        raise UsageError(f"invalid value for {key}: {value}: use true or false")
    return value.lower() in ("1", "t", "true")


def amount(key: str, value: str) -> int:
    """A size. Raises UsageError."""
    try:
        return size(value)
    except ValueError as error:
        raise UsageError(f"invalid value for {key}: {value}: {error}") from None


def octal(key: str, value: str) -> int:
    """Permission bits. Raises UsageError."""
    try:
        return int(value, 8)
    except ValueError:
        raise UsageError(f"invalid value for {key}: {value}: use octal, as in 1777") from None


READERS = {
    "bind-nonrecursive": switch, "bind-create-src": switch, "volume-nocopy": switch,
    "tmpfs-size": amount, "tmpfs-mode": octal,
}  # fmt: skip


def checked(
    body: dict[str, Any], more: dict[str, dict[str, Any]], text: str, folder: str
) -> dict[str, Any]:
    """The mount with the options of its kind. Raises UsageError for those of another."""
    kind = body["Type"]
    if kind not in TYPES:
        raise UsageError(f"invalid mount type '{kind}': use {', '.join(TYPES)}: --mount {text}")
    others = [name for name, options in more.items() if options and name != kind]
    if others:
        raise UsageError(f"cannot mix '{others[0]}-*' options with mount type '{kind}'")
    if not body.get("Target"):
        raise UsageError(f"target is required: --mount {text}")
    if kind in ("bind", "image") and not body.get("Source"):
        raise UsageError(f"source is required: --mount {text}")
    if kind == "bind" and not body["Source"].startswith("/"):
        body["Source"] = absolute(folder, body["Source"])
    if more.get(kind):
        body[f"{kind.capitalize()}Options"] = more[kind]
    return body
