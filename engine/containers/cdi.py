"""Devices by name: the Container Device Interface's files, and what a named device brings. Reads files only.

Source: the CDI specification 1.1.0 (github.com/cncf-tags/container-device-interface). A file tells of
devices `vendor/class=name` and what each changes in a container: device nodes, mounts, variables,
groups. A device of /var/run/cdi hides one of the same name in /etc/cdi. A file that cannot be read
concerns only those who ask for a device that is nowhere else: then the error tells of it.

Hooks are programs of the host that a runtime runs in the midst of a start. We run none; what NVIDIA's
do with files (links to libraries, the loader's cache) is done with mounts, see `libraries`; others
are warned of by name.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.errors import InvalidRequestError
from engine.runtime.spec import DeviceNode, DeviceRule, Mount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Where files are looked for, the least important first. PYCOMPOSE_CDI_DIRS names others (":" between).
FOLDERS = ("/etc/cdi", "/var/run/cdi")
LARGEST = 8 << 20
QUALIFIED = re.compile(
    r"[A-Za-z][\w.-]*/[A-Za-z][\w-]*=[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?", re.ASCII
)
KIND = re.compile(r"[A-Za-z][\w.-]*/[A-Za-z][\w-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Edits:
    """What devices bring into a container. `links` are (target, place), `folders` of libraries."""

    env: tuple[str, ...] = ()
    nodes: tuple[DeviceNode, ...] = ()
    rules: tuple[DeviceRule, ...] = ()
    mounts: tuple[Mount, ...] = ()
    groups: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Edits) -> Edits:
        return Edits(
            *(getattr(self, name) + getattr(other, name) for name in Edits.__dataclass_fields__)
        )


NOTHING = Edits()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All devices by qualified name: the document's own edits, the device's; and what was unreadable."""

    devices: Mapping[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]]
    faults: tuple[str, ...] = ()

    def edits(self, names: Iterable[str]) -> Edits:
        """What the named devices bring together. Raises InvalidRequestError for one that is not there."""
        wanted = list(dict.fromkeys(names))
        missing = [name for name in wanted if name not in self.devices]
        if missing:
            raise InvalidRequestError(
                f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}",
                hint="; ".join(self.faults) or _those(self.devices),
            )
        found, seen = NOTHING, set()
        for name in wanted:
            place, common, own = self.devices[name]
            if place not in seen:
                seen.add(place)
                found += parse_edits(common, place)
            found += parse_edits(own, place)
        return found


def _those(devices: Mapping[str, object]) -> str:
    return f"there are: {', '.join(sorted(devices))}" if devices else "no CDI file names a device"


def folders() -> tuple[str, ...]:
    """Where CDI files are looked for on this host."""
    chosen = os.environ.get("PYCOMPOSE_CDI_DIRS")
    return FOLDERS if chosen is None else tuple(filter(None, chosen.split(":")))


def read_catalogue(places: Iterable[str]) -> Catalogue:
    """The devices of all files in the folders; a later folder's hide an earlier one's."""
    devices: dict[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {}
    faults: list[str] = []
    for folder in places:
        here: dict[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]] = {}
        twice: set[str] = set()
        for path in _files(folder):
            try:
                found = parse_document(_read(path), path)
            except (OSError, ValueError, InvalidRequestError) as error:
                faults.append(str(error))
                continue
            twice |= here.keys() & found.keys()
            here.update(found)
        for name in twice:
            del here[name]
            faults.append(f"{name} is in two files of {folder}")
        devices.update(here)
        for name in twice:
            devices.pop(name, None)
    return Catalogue(devices, tuple(faults))


def _files(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names if name.endswith((".json", ".yaml", ".yml"))]


def _read(path: str) -> Any:
    """Raises OSError, ValueError (in a line that names the file)."""
    import yaml

    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError(f"{path}: not a regular file")
        text = stream.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise ValueError(f"{path}: larger than {LARGEST >> 20} MiB")
    try:
        return json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error


def parse_document(
    document: Any, place: str
) -> dict[str, tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """A file's devices by qualified name. Raises InvalidRequestError: what is wrong, in which file."""
    if not isinstance(document, dict) or not isinstance(document.get("cdiVersion"), str):
        raise InvalidRequestError(f"{place}: no CDI file, it has no cdiVersion")
    version = document["cdiVersion"].removeprefix("v")
    if not re.fullmatch(r"(0\.[3-9]|1\.\d+)\.\d+", version):
        raise InvalidRequestError(f"{place}: unknown cdiVersion {version}")
    kind, devices = document.get("kind"), document.get("devices")
    if not isinstance(kind, str) or not KIND.fullmatch(kind):
        raise InvalidRequestError(f"{place}: kind {kind!r} is no vendor/class")
    if not isinstance(devices, list) or not devices:
        raise InvalidRequestError(f"{place}: it has no devices")
    common = document.get("containerEdits") or {}
    parse_edits(common, place, look=False)
    found = {}
    for device in devices:
        name = str(device.get("name", "")) if isinstance(device, dict) else ""
        if not QUALIFIED.fullmatch(f"{kind}={name}") or f"{kind}={name}" in found:
            raise InvalidRequestError(
                f"{place}: a device's name is missing, invalid or there twice: {name!r}"
            )
        own = device.get("containerEdits") or {}
        parse_edits(own, place, look=False)
        found[f"{kind}={name}"] = (place, common, own)
    return found


@dataclass(slots=True)
class _Gathered:
    """Edits on their way."""

    nodes: list[DeviceNode] = field(default_factory=list)
    rules: list[DeviceRule] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def parse_edits(edits: Mapping[str, Any], place: str, *, look: bool = True) -> Edits:
    """containerEdits as values; with `look` device nodes are looked at. Raises InvalidRequestError."""
    got = _Gathered()
    try:
        env = tuple(map(str, edits.get("env") or ()))
        if any("=" not in entry for entry in env):
            raise ValueError(f"env {env}")  # noqa: TRY301  # told below, in one place
        for node in edits.get("deviceNodes") or ():
            _node(node, got, look=look)
        for mount in edits.get("mounts") or ():
            got.mounts.append(_mount(mount))
        for hook in edits.get("hooks") or ():
            _hook([str(arg) for arg in hook.get("args") or ()], str(hook["path"]), got)
        groups = tuple(str(int(group)) for group in edits.get("additionalGids") or ())
        more = [key for key in ("intelRdt", "netDevices") if edits.get(key)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequestError(f"{place}: invalid containerEdits: {error}") from error
    got.warnings += [f"{place}: {key} has no effect: it is not supported" for key in more]
    return Edits(
        env, tuple(got.nodes), tuple(got.rules), tuple(got.mounts), groups, tuple(got.links),
        tuple(got.folders), tuple(got.warnings),
    )  # fmt: skip


def _node(asked: Mapping[str, Any], got: _Gathered, *, look: bool) -> None:
    path = _absolute(asked["path"])
    access = str(asked.get("permissions") or "rwm")
    kind = str(asked.get("type") or "")
    if set(access) - set("rwm") or kind not in ("", "b", "c", "u", "p"):
        raise ValueError(f"device node {path}: type {kind!r}, permissions {access!r}")
    if kind == "p":
        raise ValueError(f"device node {path}: a fifo is not supported")
    if not look:
        return
    major, minor, mode, uid, gid = 0, 0, 0o666, 0, 0
    if not kind or not asked.get("major"):
        kind, status = _look(_absolute(asked.get("hostPath") or path))
        major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        mode, uid, gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    letter = "b" if kind == "b" else "c"
    node = DeviceNode(
        path, letter, int(asked.get("major") or major), int(asked.get("minor") or minor),  # type: ignore[arg-type]  # one of two letters
        int(asked.get("fileMode") or mode), int(asked.get("uid") or uid), int(asked.get("gid") or gid),
    )  # fmt: skip
    got.nodes.append(node)
    got.rules.append(DeviceRule(True, letter, node.major, node.minor, access))  # type: ignore[arg-type]  # one of two letters


def _look(path: str) -> tuple[str, os.stat_result]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise ValueError(f"device node {path}: {error.strerror}") from error
    kind = "b" if stat.S_ISBLK(status.st_mode) else "c" if stat.S_ISCHR(status.st_mode) else ""
    if not kind:
        raise ValueError(f"device node {path}: not a device")
    return kind, status


def _mount(asked: Mapping[str, Any]) -> Mount:
    source, target = str(asked["hostPath"]), _absolute(asked["containerPath"])
    options = tuple(map(str, asked.get("options") or ()))
    kind = str(asked.get("type") or "bind")
    if kind == "tmpfs":
        return Mount("tmpfs", target, "", options)
    if kind not in ("bind", "none"):
        raise ValueError(f"mount {target}: type {kind!r} is not supported")
    known = tuple(o for o in options if o not in ("bind", "rbind", "rw"))
    how = "bind" if "bind" in options and "rbind" not in options else "rbind"
    return Mount("bind", target, _absolute(source), (how, "rprivate", *known))


def _absolute(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(f"{path!r} is no absolute path")
    return path


def _hook(args: list[str], path: str, got: _Gathered) -> None:
    """NVIDIA's hooks by what they are for; those that only tidy are passed over."""
    words = args[1:] if len(args) < 2 or args[1] != "hook" else args[2:]
    name = words[0] if words else ""
    pairs: list[tuple[str, str]] = []
    for index, word in enumerate(words):
        key, equals, value = word.partition("=")
        if key in ("--link", "--folder"):
            pairs.append((key, value if equals else words[index + 1]))
    if name == "create-symlinks":
        for _, value in pairs:
            target, separator, link = value.partition("::")
            if not separator:
                raise ValueError(f"link {value!r} is no target::place")
            got.links.append((target, _absolute(link)))
    elif name == "update-ldcache":
        got.folders += [_absolute(value) for key, value in pairs if key == "--folder"]
    elif name not in ("enable-cuda-compat", "chmod", "disable-device-node-modification"):
        got.warnings.append(
            f"the CDI hook {path} {' '.join(words)} is not run: hooks are not supported"
        )
