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
#: The digests that we verify by.
ALGORITHMS = ("sha256", "sha512")
#: The folder of blobs that are on their way.
PARTIAL = "partial"


class BlobStore:
    """Blobs of one engine."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._folder = folder
        self._scratch = scratch
        for name in (*ALGORITHMS, PARTIAL):
            (folder / name).mkdir(parents=True, exist_ok=True)

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
        writer = self.writer()
        writer.write(content)
        return writer.commit()

    def writer(self) -> BlobWriter:
        """A writer for a blob that comes in parts."""
        return BlobWriter(self._folder / "sha256", self._scratch)

    def partial(self, digest: str) -> PartialBlob:
        """A blob on its way from elsewhere, with what came of it before. Raises OSError."""
        return PartialBlob(self._folder / PARTIAL / digest.replace(":", "-"), self._path(digest))

    def adopt(self, path: Path, digest: str) -> None:
        """Make a file, whose digest the caller has taken, the blob of that digest."""
        if path.exists() and not self.has(digest):
            os.replace(path, self._path(digest))

    def forget_partial(self, older_than: float) -> int:
        """Remove what came of blobs before that time (Unix) and never became whole; bytes freed."""
        freed = 0
        for path in (self._folder / PARTIAL).iterdir():
            status = path.stat()
            if status.st_mtime < older_than:
                freed += status.st_size
                path.unlink(missing_ok=True)
        return freed

    def read(self, digest: str) -> bytes:
        """A small blob's bytes, verified."""
        return b"".join(self.chunks(digest))

    def chunks(self, digest: str) -> Iterator[bytes]:
        """A blob's bytes; raises EngineError at the end if they are not what the digest says."""
        algorithm = digest.partition(":")[0]
        running = hashlib.new(algorithm)
        try:
            with self._path(digest).open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    running.update(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise NotFoundError(f"blob {digest} is not in the store") from error
        if f"{algorithm}:{running.hexdigest()}" != digest:
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

    def set_aside(self, digest: str) -> None:
        """Make a blob that nobody needs a partial one: whoever fetches it next has it verified and whole."""
        os.replace(self._path(digest), self._folder / PARTIAL / digest.replace(":", "-"))

    def all(self) -> list[str]:
        """The digests of all blobs."""
        return [
            f"{name}:{path.name}" for name in ALGORITHMS for path in (self._folder / name).iterdir()
        ]

    def _path(self, digest: str) -> Path:
        algorithm, _, name = digest.partition(":")
        return self._folder / algorithm / name


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


class PartialBlob:
    """A blob that comes from elsewhere and may be interrupted: what is written stays for next time."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._target = target
        self._running = hashlib.new(target.parent.name)
        self._stream = path.open("a+b", buffering=0)
        self._stream.seek(0)
        self.size = 0
        while chunk := self._stream.read(CHUNK):
            self._running.update(chunk)
            self.size += len(chunk)

    def write(self, chunk: bytes) -> None:
        """Append. Raises OSError; what was written before it is still good."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._stream.write(rest) :]
        self._running.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget what there is."""
        self._stream.truncate(0)
        self._running = hashlib.new(self._target.parent.name)
        self.size = 0

    def commit(self) -> bool:
        """Make the blob appear; False, and nothing is kept, if its digest is another."""
        self._stream.close()
        if self._running.hexdigest() != self._target.name:
            self._path.unlink(missing_ok=True)
            return False
        os.replace(self._path, self._target)
        return True

    def close(self) -> None:
        """Let go of the file; it stays. Idempotent."""
        self._stream.close()
