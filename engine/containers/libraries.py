"""Libraries of the host in a container: where the host has them, and the names a loader looks for.

What ldconfig and a hook of links would do inside is done by further mounts of the same files, so no
program of the host runs and nothing of the image is written to. Sources: ld.so(8), ldconfig(8), elf(5).
"""

from __future__ import annotations

import os
import posixpath
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.containers.cdi import Edits
    from engine.runtime.spec import Mount

CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER, _ENTRY = 48, 24
#: The loader looks here without being told (glibc's and Debian's folders, musl's).
KNOWN_FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")
_LARGEST = 64 << 20
_DT_STRTAB, _DT_SONAME, _PT_LOAD, _PT_DYNAMIC = 5, 14, 1, 2


def parse_cache(data: bytes) -> dict[str, str]:
    """ld.so.cache -> path by name, the first of several (the best for this machine); {} if it is none."""
    start = data.find(CACHE_MAGIC)
    if start < 0 or len(data) < start + _HEADER:
        return {}
    (count,) = struct.unpack_from("<I", data, start + len(CACHE_MAGIC))
    found: dict[str, str] = {}
    for index in range(min(count, (len(data) - start - _HEADER) // _ENTRY)):
        _, key, value = struct.unpack_from("<iII", data, start + _HEADER + index * _ENTRY)
        name, path = (_text(data, start + offset) for offset in (key, value))
        if name and path.startswith("/"):
            found.setdefault(name, path)
    return found


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.find(b"\0", offset)].decode(errors="replace")


def soname(path: str) -> str:
    """The name that an ELF library of 64 bits gives itself; "" for another file."""
    try:
        with open(path, "rb") as stream:
            if os.fstat(stream.fileno()).st_size > _LARGEST * 8:
                return ""
            return _soname(stream.read(_LARGEST))
    except (OSError, struct.error, IndexError):
        return ""


def _soname(data: bytes) -> str:
    if data[:6] != b"\x7fELF\x02\x01":
        return ""
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    loads, dynamic = [], None
    for index in range(count):
        kind, _, offset, address, _, length = struct.unpack_from(
            "<IIQQQQ", data, table + index * size
        )
        if kind == _PT_LOAD:
            loads.append((address, offset, length))
        elif kind == _PT_DYNAMIC:
            dynamic = offset, length
    if dynamic is None:
        return ""
    tags = dict(struct.iter_unpack("<QQ", data[dynamic[0] : dynamic[0] + dynamic[1] // 16 * 16]))
    if _DT_SONAME not in tags or _DT_STRTAB not in tags:
        return ""
    strings = tags[_DT_STRTAB]
    place = next((o + strings - a for a, o, n in loads if a <= strings < a + n), strings)
    return _text(data, place + tags[_DT_SONAME])


def with_names(edits: Edits) -> Edits:
    """The edits with their libraries under the names that programs look for them by.

    `folders` and `links` are settled: as mounts, as LD_LIBRARY_PATH, or as a warning.
    """
    by_target: dict[str, Mount] = {mount.target: mount for mount in edits.mounts}
    for mount in edits.mounts:
        folder, name = posixpath.split(mount.target)
        own = soname(mount.source) if folder in edits.folders and ".so" in name else ""
        if own and "/" not in own:
            by_target.setdefault(f"{folder}/{own}", replace(mount, target=f"{folder}/{own}"))
    warnings = []
    for target, place in _in_order(edits.links):
        full = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
        if full in by_target:
            by_target.setdefault(place, replace(by_target[full], target=place))
        else:
            warnings.append(
                f"the CDI link {place} is not made: {full} is not mounted by the device"
            )
    unknown = [f for f in dict.fromkeys(edits.folders) if not _is_known(f)]
    path = (f"LD_LIBRARY_PATH={':'.join(unknown)}",) if unknown else ()
    return replace(
        edits, mounts=tuple(by_target.values()), env=(*edits.env, *path), folders=(), links=(),
        warnings=(*edits.warnings, *warnings),
    )  # fmt: skip


def _in_order(links: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """A link to a link comes after it; each once."""
    left, ordered = list(dict.fromkeys(links)), []
    while left:
        places = {place for _, place in left}
        ready = [
            (target, place)
            for target, place in left
            if posixpath.normpath(posixpath.join(posixpath.dirname(place), target)) not in places
        ]
        ordered += ready or left
        left = [link for link in left if link not in ready] if ready else []
    return ordered


def _is_known(folder: str) -> bool:
    """/usr/lib/x86_64-linux-gnu and its like are Debian's own places."""
    parent, name = posixpath.split(folder)
    return folder in KNOWN_FOLDERS or (parent in KNOWN_FOLDERS and name.endswith("-linux-gnu"))
