"""What is mounted where: from the request's binds, mounts, tmpfs and the image's volumes. Pure but for names.

Later ones win over earlier ones at the same place, as Docker has it: image volumes, volumes_from,
binds, mounts; tmpfs last. Volumes are named here; `Containers.create` makes them.
"""

from __future__ import annotations

import posixpath
import secrets
from typing import TYPE_CHECKING

from engine.containers.model import MountPoint
from engine.errors import InvalidRequestError, NotFoundError, NotSupportedError
from engine.runtime.mounting import ATTRIBUTES, MAP_OWNER
from engine.runtime.spec import Mount, Rootfs
from engine.volumes.local_driver import no_driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.containers.config import BindOptions, Config, HostConfig, MountRequest
    from engine.containers.model import Container

PROPAGATIONS = ("private", "rprivate", "slave", "rslave", "shared", "rshared")
_LABELS = ("z", "Z")
_IGNORED = ("cached", "delegated", "consistent", "")  # Docker Desktop's, without meaning on Linux
TMPFS_OPTIONS = ("nosuid", "nodev", "noexec")
TMPFS_VALUES = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge")
_DEFAULT_FLAGS = ("rw", "async", "relatime", "atime", "diratime", "defaults")


def decide_mounts(
    config: Config, host_config: HostConfig, find: Callable[[str], Container]
) -> tuple[MountPoint, ...]:
    """All mount points of a new container by destination. Raises InvalidRequestError."""
    points: dict[str, MountPoint] = {}
    for target in config.volumes or {}:
        point = _volume("", _clean(target))
        points[point.destination] = point
    for source in host_config.volumes_from or ():
        for point in _from_container(source, find):
            points[point.destination] = point
    asked: set[str] = set()
    for bind in host_config.binds or ():
        _put(points, asked, parse_bind(bind))
    for request in host_config.mounts or ():
        _put(points, asked, _from_request(request))
    for target, data in (host_config.tmpfs or {}).items():
        _tmpfs(data)
        _put(points, asked, MountPoint("tmpfs", _clean(target), data=data))
    return tuple(points.values())


def _put(points: dict[str, MountPoint], asked: set[str], point: MountPoint) -> None:
    if point.destination in asked:
        raise InvalidRequestError(f"Duplicate mount point: {point.destination}")
    asked.add(point.destination)
    points[point.destination] = point


def parse_bind(text: str) -> MountPoint:
    """ "source:target[:options]" or "target". Raises InvalidRequestError."""
    parts = text.split(":")
    if len(parts) == 1:
        return _volume("", _clean(parts[0]))
    if len(parts) > 3 or not parts[0] or not parts[1]:
        raise InvalidRequestError(f"invalid volume specification: '{text}'")
    source, target = parts[0], _clean(parts[1])
    options = parts[2].split(",") if len(parts) == 3 else []
    read_only, propagation, no_copy = False, "", False
    owner = (MAP_OWNER,) if MAP_OWNER in options and source.startswith("/") else ()
    for option in options:
        if option in ("ro", "rw"):
            read_only = option == "ro"
        elif option in PROPAGATIONS:
            propagation = option
        elif option == "nocopy":
            no_copy = True
        elif option not in (*_LABELS, *_IGNORED, *owner):
            raise InvalidRequestError(f'invalid mode: {option} in "{text}"')
    mode = ",".join(options)
    if source.startswith("/"):
        return MountPoint(
            "bind", target, source=posixpath.normpath(source), mode=mode, rw=not read_only,
            propagation=propagation or "rprivate", options=("create", *owner),
        )  # fmt: skip
    if propagation:
        raise InvalidRequestError(f'invalid mode: {propagation} is for binds only, in "{text}"')
    point = _volume(source, target)
    return MountPoint(
        "volume", target, name=point.name, driver="local", mode=mode or "z", rw=not read_only,
        no_copy=no_copy,
    )  # fmt: skip


def _volume(name: str, target: str) -> MountPoint:
    return MountPoint(
        "volume", target, name=name or secrets.token_hex(32), driver="local", anonymous=not name
    )


def _from_request(request: MountRequest) -> MountPoint:
    target = _clean(request.target)
    if request.type == "bind":
        bind = request.bind_options
        if not request.source.startswith("/"):
            raise InvalidRequestError(
                f"invalid mount config for type \"bind\": invalid mount path: '{request.source}' "
                "mount path must be absolute"
            )
        propagation = (bind.propagation if bind else "") or "rprivate"
        if propagation not in PROPAGATIONS:
            raise InvalidRequestError(f"invalid propagation mode: {propagation}")
        return MountPoint(
            "bind",
            target,
            source=posixpath.normpath(request.source),
            rw=not request.read_only,
            propagation=propagation,
            options=_bind_options(bind),
            non_recursive=bool(bind and bind.non_recursive),
        )
    if request.type == "volume":
        volume = request.volume_options
        driver = volume.driver_config if volume else None
        if driver and driver.name not in ("", "local"):
            raise NotFoundError(no_driver(driver.name))
        point = _volume(request.source, target)
        _check_subpath(volume.subpath if volume else "")
        return MountPoint(
            "volume", target, name=point.name, driver="local", rw=not request.read_only,
            no_copy=bool(volume and volume.no_copy), subpath=volume.subpath if volume else "",
            anonymous=not request.source,
        )  # fmt: skip
    if request.type == "tmpfs":
        return _tmpfs_point(request, target)
    if request.type == "image":
        if not request.source:
            raise InvalidRequestError('invalid mount config for type "image": source is missing')
        below = request.image_options.subpath if request.image_options else ""
        _check_subpath(below)
        return MountPoint(
            "image", target, source=request.source, rw=not request.read_only, subpath=below
        )
    if request.type in ("cluster", "npipe"):
        raise NotSupportedError(
            f"mounts of type {request.type!r} are not supported: use bind, volume, tmpfs or image"
        )
    raise InvalidRequestError(
        f'invalid mount config for type "{request.type}": mount type unknown',
        hint="use bind, volume, tmpfs or image",
    )


def _tmpfs_point(request: MountRequest, target: str) -> MountPoint:
    if request.source:
        raise InvalidRequestError(
            'invalid mount config for type "tmpfs": field Source must not be specified'
        )
    tmpfs = request.tmpfs_options
    data = [f"size={tmpfs.size_bytes}"] if tmpfs and tmpfs.size_bytes else []
    data += [f"mode={tmpfs.mode:o}"] if tmpfs and tmpfs.mode else []
    data += ["=".join(option) for option in (tmpfs.options if tmpfs else ())]
    _tmpfs(",".join(data))
    return MountPoint("tmpfs", target, rw=not request.read_only, data=",".join(data))


def _check_subpath(path: str) -> None:
    if path.startswith("/") or ".." in path.split("/"):
        raise InvalidRequestError(f"subpath must be a relative path within the volume: {path!r}")


def _bind_options(bind: BindOptions | None) -> tuple[str, ...]:
    if bind is None:
        return ()
    if bind.read_only_non_recursive and bind.read_only_force_recursive:
        raise InvalidRequestError(
            "ReadOnlyNonRecursive and ReadOnlyForceRecursive cannot be set at the same time"
        )
    asked = {
        "create": bind.create_mountpoint,
        "ro-top": bind.read_only_non_recursive,
        MAP_OWNER: bind.map_owner,
    }
    return tuple(option for option, wanted in asked.items() if wanted)


def _from_container(text: str, find: Callable[[str], Container]) -> Iterable[MountPoint]:
    name, _, mode = text.partition(":")
    if mode not in ("", "ro", "rw", "z", "Z"):
        raise InvalidRequestError(f'invalid mode "{mode}" in volumes-from "{text}"')
    from dataclasses import replace

    try:
        other = find(name)
    except NotFoundError as error:
        raise InvalidRequestError(str(error)) from error
    return [
        replace(point, rw=point.rw and mode != "ro")
        for point in other.mounts
        if point.type != "tmpfs"
    ]


def _clean(target: str) -> str:
    if not target.startswith("/"):
        raise InvalidRequestError(f"invalid mount path: '{target}' mount path must be absolute")
    cleaned = posixpath.normpath(target)
    if cleaned == "/":
        raise InvalidRequestError("invalid mount path: destination can't be '/'")
    return "/" + cleaned.lstrip("/")


def runtime_mounts(
    points: Iterable[MountPoint],
    volume_paths: Mapping[str, str],
    files: Mapping[str, str],
    overlays: Mapping[str, Rootfs] | None = None,
) -> tuple[Mount, ...]:
    """The runtime's mounts: volumes by their folders, and `files` (container path -> host path).

    `overlays` are what image mounts are made of, by their destination.
    """
    made: dict[str, Mount] = {
        target: Mount("bind", target, source, ("rbind", "rprivate"))
        for target, source in files.items()
    }
    for point in points:
        locked = () if point.rw else ("ro",)
        if point.type == "tmpfs":
            options, data = _tmpfs(point.data)
            made[point.destination] = Mount(
                "tmpfs", point.destination, "", (*options, *locked), data
            )
        elif point.type == "volume":
            source = volume_paths[point.name]
            made[point.destination] = Mount(
                "bind", point.destination, source, ("bind", *locked), subpath=point.subpath
            )
        elif point.type == "image":
            made[point.destination] = Mount(
                "overlay",
                point.destination,
                "overlay",
                locked,
                layers=(overlays or {})[point.destination],
            )
        else:
            how = "bind" if point.non_recursive else "rbind"
            if locked and "ro-top" in point.options:
                locked = ("ro-top",)
            owner = (MAP_OWNER,) if MAP_OWNER in point.options else ()
            made[point.destination] = Mount(
                "bind", point.destination, point.source, (how, point.propagation, *locked, *owner)
            )
    return tuple(made.values())


def _tmpfs(data: str) -> tuple[tuple[str, ...], str]:
    """Docker's option string in mount attributes and what tmpfs itself takes."""
    flags = dict.fromkeys(TMPFS_OPTIONS)
    values = []
    for option in filter(None, data.split(",")):
        if option in ("exec", "suid", "dev"):
            flags.pop(f"no{option}", None)
        elif option.partition("=")[0] in TMPFS_VALUES:
            values.append(option)
        elif option in ATTRIBUTES:
            flags[option] = None
        elif option not in (*_DEFAULT_FLAGS, *PROPAGATIONS):
            raise InvalidRequestError(f"invalid tmpfs option {option!r}")
    return tuple(flags), ",".join(values)
