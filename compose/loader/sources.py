"""The loader's only door to the disk and to standard input. Blocking."""

from __future__ import annotations

import os
import sys

from compose.errors import ProjectError


class Disk:
    """Files as the loader sees them; relative paths start at `folder`."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder or ".")  # noqa: PTH100
        self._stdin: bytes | None = None

    def absolute(self, path: str) -> str:
        """The path from the root, cleaned of `.` and `..`."""
        return os.path.normpath(os.path.join(self.folder, path))  # noqa: PTH118

    def read(self, path: str) -> bytes:
        """The content of a file, `-` being standard input (read once).

        Raises ProjectError with the reason.
        """
        if path == "-":
            if self._stdin is None:
                self._stdin = sys.stdin.buffer.read()
            return self._stdin
        try:
            with open(self.absolute(path), "rb") as file:  # noqa: PTH123
                return file.read()
        except OSError as error:
            reason = error.strerror or str(error)
            raise ProjectError(f"{self.shown(path)}: {reason.lower()}: check the path") from None

    def read_text(self, path: str) -> str:
        """The same as UTF-8 text."""
        try:
            return self.read(path).decode()
        except UnicodeDecodeError:
            raise ProjectError(f"{self.shown(path)}: not UTF-8 text") from None

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
