"""Phase 9: relative paths become absolute, or relative to another folder. Pure but for `~` and links.

Relative to the project's folder, or to the folder of the file that an include or extends names.
"""

from __future__ import annotations

import posixpath

from compose.loader.tree import FaultError, rewrite, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Path = tuple[str | int, ...]

_REMOTE = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")


def is_remote(path: str) -> bool:
    """Whether a Compose file's own location is a Git repository or an OCI artifact."""
    return path.startswith(("oci://", *_REMOTE))


def is_drive(path: str) -> bool:
    """Whether it is an absolute path of Windows."""
    return path.startswith("\\\\") or (
        path[1:2] == ":" and path[:1].isalpha() and path[2:3] in "/\\"
    )


def resolve(tree: Any, folder: str, home: str, real: Callable[[str], str]) -> Any:
    """The tree with paths joined to `folder`; `real` follows symbolic links. Raises FaultError."""
    roads = _Roads(folder, home, real)
    return rewrite(tree, _PATHS, (), lambda action, value, path: action(roads, value, path))


def expand(path: str, home: str) -> str:
    """The path with a leading `~` replaced."""
    return join(home, path[1:].lstrip("/")) if path.startswith("~") and home else path


def join(folder: str, path: str) -> str:
    """Both joined and cleaned of `.` and `..`."""
    joined = posixpath.normpath(posixpath.join(folder, path))
    return joined[1:] if joined.startswith("//") else joined


class _Roads:
    """How each kind of path is resolved."""

    def __init__(self, folder: str, home: str, real: Callable[[str], str]) -> None:
        self._folder, self._home, self._real = folder, home, real

    def plain(self, value: Any, _path: Path) -> Any:
        if not isinstance(value, str):
            return value
        value = expand(value, self._home)
        return value if not value or value.startswith("/") else join(self._folder, value)

    def host(self, value: Any, _path: Path) -> Any:
        """Like plain, but a path of Windows stays, and nothing is the folder itself."""
        if not isinstance(value, str):
            return value
        value = expand(value, self._home)
        return value if value.startswith("/") or is_drive(value) else join(self._folder, value)

    def context(self, value: Any, path: Path) -> Any:
        if not isinstance(value, str) or "://" in value or value.startswith(("service:", *_REMOTE)):
            return value
        return self.plain(value, path)

    def extends(self, value: Any, path: Path) -> Any:
        return value if isinstance(value, str) and is_remote(value) else self.plain(value, path)

    def watched(self, value: Any, path: Path) -> Any:
        value = self.plain(value, path)
        return self._real(value) if isinstance(value, str) else value

    def mount(self, value: Any, path: Path) -> Any:
        if not isinstance(value, dict) or value.get("type") != "bind":
            return value
        if "source" not in value:
            raise FaultError(
                path, "a bind mount has no source: say which path of the host it shows"
            )
        return {**value, "source": self.host(value["source"], path)}

    def volume(self, value: Any, path: Path) -> Any:
        """The local driver's `device` with `o: bind` is a path of the host."""
        if not isinstance(value, dict) or value.get("driver") != "local":
            return value
        options = value.get("driver_opts")
        if not isinstance(options, dict) or options.get("o") != "bind" or "device" not in options:
            return value
        device = self.host(options["device"], path)
        return {**value, "driver_opts": {**options, "device": device}}


_PATHS = table(
    {
        "services.*.build.context": _Roads.context,
        "services.*.build.additional_contexts.*": _Roads.context,
        "services.*.build.ssh.*": _Roads.host,
        "services.*.env_file.*.path": _Roads.plain,
        "services.*.label_file.*": _Roads.plain,
        "services.*.extends.file": _Roads.extends,
        "services.*.develop.watch.*.path": _Roads.watched,
        "services.*.volumes.*": _Roads.mount,
        "configs.*.file": _Roads.host,
        "secrets.*.file": _Roads.host,
        "volumes.*": _Roads.volume,
    }
)
