"""Unpacked layers, a folder per chain id, shared by every image and container that stands on them.

A layer appears by one rename, complete; short folder names keep overlay's options small.
"""

from __future__ import annotations

import os
import secrets
import shutil
from typing import IO, TYPE_CHECKING

from engine.errors import EngineError, HostLimitError
from engine.images.compression import open_tar
from engine.images.unpack import SIZE_LIMIT, unpack_layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.images.compression import HashedReader
    from engine.storage.database import Database


class LayerStore:
    """The unpacked layers of one engine."""

    def __init__(
        self, folder: Path, scratch: Path, database: Database, size_limit: int = SIZE_LIMIT
    ) -> None:
        self._folder = folder
        self._size_limit = size_limit
        self._scratch = scratch
        self._database = database
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, chain_id: str) -> str | None:
        """Where a layer is unpacked, None if it is not here."""
        rows = self._database.rows("SELECT folder FROM layers WHERE chain_id = ?", (chain_id,))
        return str(self._folder / rows[0][0]) if rows else None

    def size(self, chain_id: str) -> int:
        """Bytes of the layer's files."""
        rows = self._database.rows("SELECT size FROM layers WHERE chain_id = ?", (chain_id,))
        return int(rows[0][0]) if rows else 0

    def unpack(
        self, raw: IO[bytes], opened: Callable[[HashedReader], None] = lambda _reader: None
    ) -> tuple[Path, str, int]:
        """Unpack a tar into scratch: (folder, diff id, bytes). Blocking: call it in a thread.

        `opened` is given the reader, whose `size` tells how far it is. Raises InvalidRequestError,
        HostLimitError; nothing is left in scratch then.
        """
        folder = self._scratch / f"layer-{secrets.token_hex(6)}"
        try:
            folder.mkdir()
            folder.chmod(0o755)  # whatever the umask: users inside must get through
            reader = open_tar(raw)
            opened(reader)
            size = unpack_layer(reader, folder, self._size_limit)
            return folder, reader.drain(), size
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise HostLimitError(f"cannot unpack a layer: {error.strerror}") from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def adopt(self, folder: Path, chain_id: str, diff_id: str, parent: str, size: int) -> None:
        """Make a finished folder the layer of a chain id; if there is one already, drop it."""
        if self.path(chain_id) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            return
        name = secrets.token_hex(5)
        try:
            os.replace(folder, self._folder / name)
        except OSError as error:
            raise EngineError(f"cannot keep the layer {diff_id}: {error}") from error
        self._database.execute(
            "INSERT INTO layers (chain_id, diff_id, parent, folder, size, document) VALUES (?, ?, ?, ?, ?, '{}')",
            (chain_id, diff_id, parent or None, name, size),
        )

    def collect_orphans(self) -> list[Path]:
        """Move folders that no row names (an engine died between the two) to scratch, to be deleted."""
        known = {row[0] for row in self._database.rows("SELECT folder FROM layers")}
        graves = []
        for path in self._folder.iterdir():
            if path.name not in known:
                graves.append(self._scratch / f"dead-{secrets.token_hex(6)}")
                path.rename(graves[-1])
        return graves

    def all(self) -> list[str]:
        """Every chain id."""
        return [row[0] for row in self._database.rows("SELECT chain_id FROM layers")]

    def forget(self, chain_id: str) -> Path | None:
        """Drop a layer's row; the folder to delete (in a thread), None if there was none."""
        path = self.path(chain_id)
        if path is None:
            return None
        self._database.execute("DELETE FROM layers WHERE chain_id = ?", (chain_id,))
        grave = self._scratch / f"dead-{secrets.token_hex(6)}"
        os.rename(path, grave)
        return grave


def remove_tree(folder: Path) -> None:
    """Delete a folder that nobody needs. Blocking."""
    shutil.rmtree(folder, ignore_errors=True)
