"""COPY --chown and --chmod read: owners by the image's own files, modes in numbers or letters."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.errors import InvalidRequestError
from engine.runtime.identity import LARGEST_ID, IdentityError, read_identity

#: The new mode from the old one and whether it is a folder's.
ModeChange = Callable[[int, bool], int]
_CLAUSE = re.compile(r"([ugoa]*)([-+=])([rwxXst]*|[ugo])")
_SHIFT = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}


def read_owner(root: int, text: str) -> tuple[int, int]:
    """(uid, gid) of "user[:group]", names by /etc/passwd and /etc/group below the root.

    A number without a group is the group too, as in Docker. Raises InvalidRequestError.
    """
    user, _, group = text.partition(":")
    if user.isdecimal() and not group and len(user) <= 10 and int(user) <= LARGEST_ID:
        return int(user), int(user)
    try:
        identity = read_identity(root, text, ())
    except IdentityError as error:
        raise InvalidRequestError(f"--chown={text}: {error}") from error
    return identity.uid, identity.gid


def parse_mode(text: str) -> ModeChange:
    """The change that --chmod asks for. Raises InvalidRequestError."""
    if re.fullmatch(r"[0-7]{1,4}", text):
        fixed = int(text, 8)
        return lambda _old, _folder: fixed
    clauses = [_CLAUSE.fullmatch(part) for part in text.split(",")]
    found = [clause.groups() for clause in clauses if clause]
    if len(found) != len(clauses):
        raise InvalidRequestError(f"--chmod={text} is no mode: write 755 or u=rwx,go=rx")

    def change(mode: int, folder: bool) -> int:  # noqa: FBT001 -- a ModeChange
        for who, operator, letters in found:
            mode = _apply(mode, who, operator, letters, executable=folder or bool(mode & 0o111))
        return mode

    return change


def _apply(mode: int, who: str, operator: str, letters: str, *, executable: bool) -> int:
    whose = "ugo" if not who or "a" in who else who
    bits = whole = 0
    for person in whose:
        bits |= _permission(mode, letters, executable=executable) << _SHIFT[person]
        whole |= 7 << _SHIFT[person]
    special = (0o4000 if "u" in whose else 0) | (0o2000 if "g" in whose else 0)
    bits |= (special if "s" in letters else 0) | (0o1000 if "t" in letters else 0)
    if operator == "+":
        return mode | bits
    if operator == "-":
        return mode & ~bits
    return (mode & ~(whole | special)) | bits


def _permission(mode: int, letters: str, *, executable: bool) -> int:
    if letters in _SHIFT and letters:
        return (mode >> _SHIFT[letters]) & 7
    bits = sum(bit for letter, bit in _BITS.items() if letter in letters)
    return bits | (1 if "X" in letters and executable else 0)
