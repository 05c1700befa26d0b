"""The loader's only door to the disk and to standard input. Blocking."""

from __future__ import annotations

import os
import sys

from compose.errors import ProjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes. A file of so much holds 250,000 services, takes 16 seconds and 0.9 GiB.
_LARGEST = 16 << 20


class Disk:
    """Files as the loader sees them; relative paths start at `folder`."""

    def __init__(self, folder: str, fetch: Callable[[str], str] | None = None) -> None:
        self.folder = os.path.abspath(folder or ".")  # noqa: PTH100
        self._fetch = fetch
        self._fetched: dict[str, str] = {}
        self._stdin: bytes | None = None

    def absolute(self, path: str) -> str:
        """The path from the root, cleaned of `.` and `..`."""
        return os.path.normpath(os.path.join(self.folder, path))  # noqa: PTH118

    def local(self, name: str) -> str:
        """The path of a file that lies elsewhere, fetched once a load. Raises ComposeError."""
        if self._fetch is None:
            raise ProjectError(f"{name} is not on this machine: fetch it and name the local copy")
        if name not in self._fetched:
            self._fetched[name] = self._fetch(name)
        return self._fetched[name]

    def read(self, path: str) -> bytes:
        """The content of a file, `-` being standard input (read once).

        Raises ProjectError with the reason; one is a size that no project's file has.
        """
        if path == "-":
            if self._stdin is None:
                self._stdin = sys.stdin.buffer.read(_LARGEST + 1)
            content = self._stdin
        else:
            try:
                with open(self.absolute(path), "rb") as file:  # noqa: PTH123
                    content = file.read(_LARGEST + 1)
            except IsADirectoryError:
                raise ProjectError(f"{self.shown(path)} is a folder: name the file in it") from None
            except PermissionError:
                raise ProjectError(
                    f"{self.shown(path)}: permission denied: make it readable for you"
                ) from None
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise ProjectError(f"{self.shown(path)}: {reason}: check the path") from None
        if len(content) > _LARGEST:
            raise ProjectError(
                f"{self.shown(path)}: larger than {_LARGEST >> 20} MiB: no project file is, check the path"
            )
        return content

    def read_text(self, path: str, warn: Callable[[str], None]) -> str:
        """The same as UTF-8 text; what is none becomes U+FFFD, as in the reference, but is warned of."""
        content = self.read(path)
        try:
            return content.decode()
        except UnicodeDecodeError:
            warn(f"{self.shown(path)}: not UTF-8 text: what cannot be read is replaced by \ufffd")
            text = content.decode(errors="surrogateescape")
            return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text)

    def exists(self, path: str) -> bool:
        """Whether there is anything at the path."""
        return os.path.exists(self.absolute(path))  # noqa: PTH110

    def is_folder(self, path: str) -> bool:
        """Whether the path is a folder."""
        return os.path.isdir(self.absolute(path))  # noqa: PTH112

    def real(self, path: str) -> str:
        """An absolute path with its symbolic links followed, if it exists."""
        return os.path.realpath(path) if path.startswith("/") and self.exists(path) else path

    def shown(self, path: str) -> str:
        """The path as a person at `folder` would type it."""
        absolute = self.absolute(path)
        inside = absolute.removeprefix(self.folder.rstrip("/") + "/")
        return path if path == "-" else inside
