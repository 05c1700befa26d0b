"""Where `cp` puts things: cp's own rules, as docker has them. Pure."""

from __future__ import annotations

import posixpath

from compose.errors import UsageError
from compose.model.record import Record


class Placement(Record):
    """Unpack in `folder`, the top of the archive renamed to `name`; "" for its contents alone."""

    folder: str
    name: str


class Place(Record):
    """A path as the person wrote it, and what is there. `trailing`: it ends in / or /."""

    path: str
    exists: bool = False
    is_folder: bool = False

    @property
    def trailing(self) -> bool:
        """Whether it can only mean a folder."""
        return self.path.endswith(("/", "/."))

    @property
    def contents_only(self) -> bool:
        """Whether what is in the folder is meant, and not the folder."""
        return self.path.endswith("/.") or self.path == "."


def base_name(path: str) -> str:
    """The last part of a path, "/" for the root."""
    return posixpath.basename(posixpath.normpath(path)) or "/"


def place(source: Place, target: Place) -> Placement:
    """Where a source goes. Raises UsageError where it cannot."""
    if target.exists and target.is_folder:
        if source.is_folder and source.contents_only:
            return Placement(target.path, "")
        return Placement(target.path, base_name(source.path))
    plain = posixpath.normpath(target.path)
    parent = posixpath.dirname(plain) or "."
    if source.is_folder:
        if target.exists:
            raise UsageError(f"cannot copy a folder onto the file {target.path}")
        return Placement(parent, base_name(plain))
    if target.trailing:
        what = "is a file" if target.exists else "does not exist"
        raise UsageError(f"the target folder {target.path} {what}")
    return Placement(parent, base_name(plain))


def split_argument(text: str) -> tuple[str, str]:
    """ "service:path" -> ("service", "path"); ("", path) for a path of ours."""
    if text.startswith(("/", ".")):
        return "", text
    name, colon, path = text.partition(":")
    return (name, path) if colon else ("", text)
