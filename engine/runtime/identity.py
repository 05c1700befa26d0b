"""Who a process is inside: users and groups by the image's own files. Parsing is pure.

Rules: /etc/passwd and /etc/group come from an untrusted image: regular files only, opened without
blocking through the root's descriptor, read up to a limit. Source: passwd(5), group(5), and
Docker's reading of `--user` ("name|uid[:group|gid]").
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from engine.runtime.mounting import open_in_root

#: Bytes of passwd or group that are read at most.
FILE_LIMIT = 1 << 20
LARGEST_ID = 2**32 - 2


class IdentityError(ValueError):
    """The image has no such user or group; the message is Docker's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Numeric user, group and further groups, and the home folder."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def read_identity(root: int, user: str, extra_groups: tuple[str, ...]) -> Identity:
    """Resolve a `user` string against the files below the root's descriptor."""
    passwd = read_bounded(root, "/etc/passwd")
    group = read_bounded(root, "/etc/group")
    return resolve_identity(user, extra_groups, passwd, group)


def read_bounded(root: int, path: str) -> str:
    """A regular file's text, "" if there is none. Raises IdentityError if it is something else."""
    fd = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if fd is None:
        return ""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise IdentityError(f"{path} in the image is no regular file")
        chunks, left = [], FILE_LIMIT
        while left > 0 and (chunk := os.read(fd, min(left, 1 << 16))):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks).decode(errors="replace")
    finally:
        os.close(fd)


def resolve_identity(user: str, extra_groups: tuple[str, ...], passwd: str, group: str) -> Identity:
    """Who "name|uid[:group|gid]" is, by the two files' texts.

    Raises IdentityError for a name that is in neither file or a number out of range.
    """
    name, _, group_name = user.partition(":")
    uid, gid, home, login = 0, 0, "/", ""
    wanted = name or "0"
    for fields in _entries(passwd, 7):
        if fields[0] == wanted or (wanted.isdigit() and fields[2] == wanted):
            login, uid, gid, home = fields[0], int(fields[2]), int(fields[3]), fields[5]
            break
    else:
        if not wanted.isdigit():
            raise IdentityError(f"unable to find user {name}: no matching entries in passwd file")
        uid = _number(wanted, "uids")
    groups: list[int] = []
    if group_name:
        gid = _group_id(group_name, group)
    elif login:
        groups = [int(f[2]) for f in _entries(group, 4) if login in f[3].split(",")]
    groups += [_group_id(extra, group) for extra in extra_groups]
    unique = tuple(dict.fromkeys([gid, *groups]))
    return Identity(uid, gid, unique, home or "/")


def _group_id(name: str, group: str) -> int:
    for fields in _entries(group, 4):
        if fields[0] == name or (name.isdigit() and fields[2] == name):
            return int(fields[2])
    if name.isdigit():
        return _number(name, "gids")
    raise IdentityError(f"unable to find group {name}: no matching entries in group file")


def _number(text: str, what: str) -> int:
    if len(text) > 10 or int(text) > LARGEST_ID:
        raise IdentityError(f"{what} must be in range 0-{LARGEST_ID}")
    return int(text)


def _entries(text: str, count: int) -> list[list[str]]:
    lines = (line.strip().split(":") for line in text.splitlines() if not line.startswith("#"))
    numeric = (2, 3) if count == 7 else (2,)
    return [
        fields
        for fields in lines
        if len(fields) >= count
        and all(fields[n].isdigit() and len(fields[n]) <= 10 for n in numeric)
    ]
