"""The content-addressed store: blobs/sha256/<hex>, OCI layout. What is here is what its name says.

Rules: bytes come in through a writer that names them by what it has hashed, and go out through a
reader that checks while it reads. A blob is complete or absent.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import IO, TYPE_CHECKING

from engine.errors import EngineError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 1 << 20


class BlobStore:
    """Blobs of one engine."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder / "sha256"
        self._scratch = scratch
        self._folder.mkdir(parents=True, exist_ok=True)

    def has(self, digest: str) -> bool:
        """Whether the blob is complete here."""
        return self._path(digest).exists()

    def size(self, digest: str) -> int:
        """Bytes on disk. Raises NotFoundError."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError as error:
            raise NotFoundError(f"blob {digest} is not in the store") from error

    def put(self, content: bytes) -> str:
        """Store some bytes; returns their digest. Idempotent."""
        writer = BlobWriter(self._folder, self._scratch)
        writer.write(content)
        return writer.commit()

    def writer(self) -> BlobWriter:
        """A writer for a blob that comes in parts."""
        return BlobWriter(self._folder, self._scratch)

    def read(self, digest: str) -> bytes:
        """A small blob's bytes, verified."""
        return b"".join(self.chunks(digest))

    def chunks(self, digest: str) -> Iterator[bytes]:
        """A blob's bytes; raises EngineError at the end if they are not what the digest says."""
        running = hashlib.sha256()
        try:
            with self._path(digest).open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    running.update(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise NotFoundError(f"blob {digest} is not in the store") from error
        if f"sha256:{running.hexdigest()}" != digest:
            raise EngineError(
                f"blob {digest} is damaged on disk", hint="pull or load the image again"
            )

    def open(self, digest: str) -> IO[bytes]:
        """A blob for reading; the caller verifies (layers are: their tar has a digest of its own)."""
        return self._path(digest).open("rb")

    def path(self, digest: str) -> str:
        """Where a blob is, for whoever reads it in a thread and verifies it there."""
        return str(self._path(digest))

    def remove(self, digest: str) -> None:
        """Remove a blob. Idempotent."""
        self._path(digest).unlink(missing_ok=True)

    def all(self) -> list[str]:
        """The digests of all blobs."""
        return [f"sha256:{path.name}" for path in self._folder.iterdir() if len(path.name) == 64]

    def _path(self, digest: str) -> Path:
        return self._folder / digest.removeprefix("sha256:")


class BlobWriter:
    """Hashes what it writes; the blob appears under its digest when committed."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._path = scratch / f"blob-{secrets.token_hex(8)}"
        self._stream = self._path.open("wb")
        self._running = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append. Raises OSError."""
        self._running.update(chunk)
        self.size += len(chunk)
        self._stream.write(chunk)

    def commit(self) -> str:
        """Make the blob appear; returns its digest."""
        self._stream.close()
        digest = self._running.hexdigest()
        os.replace(self._path, self._folder / digest)
        return f"sha256:{digest}"

    def discard(self) -> None:
        """Forget what was written. Idempotent."""
        self._stream.close()
        self._path.unlink(missing_ok=True)
