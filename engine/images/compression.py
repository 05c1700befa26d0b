"""Layers as they come, plain, gzip or zstd, as one stream of tar bytes that is hashed on its way."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
from typing import IO, TYPE_CHECKING, Any

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.blobs import BlobWriter

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
XZ_MAGIC = b"\xfd7zXZ\x00"
BZIP2_MAGIC = b"BZh"
#: How much is read and hashed at once.
PIECE = 1 << 18
#: gzip's level for layers that are pushed: a third of the time of the best, nearly its size.
LEVEL = 6


class HashedReader(io.RawIOBase):
    """Reads from another stream and hashes what passes; seeks forward only, as tarfile does.

    It reads ahead in large pieces: the digest is that of the whole stream, told by `drain`.
    """

    def __init__(self, source: Any, *, hashed: bool = True) -> None:
        self._source = source
        self._hashed = hashed
        self._running = hashlib.sha256()
        self._ready = memoryview(b"")
        self._at = 0
        self.size = 0  # bytes that were read from the source
        self.passed: Callable[[], None] = lambda: None  # called for each piece

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Forward."""
        return True

    def tell(self) -> int:
        """Bytes handed out or passed over."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Pass over what lies between. Raises InvalidRequestError for a step back."""
        if whence != io.SEEK_SET or offset < self._at:
            raise InvalidRequestError("the archive cannot be read in one pass")
        while self._at < offset and (self._ready or self._fill()):
            self._take(offset - self._at)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer only at the end. Raises InvalidRequestError for broken compression."""
        if size < 0:
            raise InvalidRequestError("an archive is not read whole")
        if len(self._ready) >= size:
            return bytes(self._take(size))
        pieces: list[memoryview] = []
        while size > 0 and (self._ready or self._fill()):
            piece = self._take(size)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def read_some(self, most: int) -> memoryview:
        """What is ready, at most so much, without a copy; empty only at the end."""
        if not self._ready:
            self._fill()
        return self._take(most)

    def drain(self) -> str:
        """Read to the end; the digest of everything, "sha256:<hex>"."""
        self._at += len(self._ready)
        self._ready = memoryview(b"")
        while self._fill():
            self._at += len(self._ready)
            self._ready = memoryview(b"")
        return f"sha256:{self._running.hexdigest()}"

    def _take(self, size: int) -> memoryview:
        piece, self._ready = self._ready[:size], self._ready[size:]
        self._at += len(piece)
        return piece

    def _fill(self) -> bool:
        """The next piece of the source, hashed; False at its end."""
        try:
            chunk: bytes = self._source.read(PIECE)
        except _broken() as error:
            raise InvalidRequestError(f"the archive's compression is broken: {error}") from error
        if self._hashed:
            self._running.update(chunk)
        self.size += len(chunk)
        self._ready = memoryview(chunk)
        self.passed()
        return bool(chunk)


def _broken() -> tuple[type[Exception], ...]:
    """What the decompressors in use raise for bad input."""
    import zlib

    found: list[type[Exception]] = [OSError, EOFError, ValueError, zlib.error]
    for module, name in (("lzma", "LZMAError"), ("zstandard", "ZstdError")):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)


def open_tar(raw: IO[bytes], *, hashed: bool = True) -> HashedReader:
    """The tar inside a stream, by its first bytes; without `hashed` it has no digest to tell."""
    buffered: Any = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)
    return HashedReader(_decompressed(buffered), hashed=hashed)


def _decompressed(buffered: io.BufferedReader[Any]) -> Any:
    head = buffered.peek(6)[:6]
    if head.startswith(GZIP_MAGIC):
        return gzip.GzipFile(fileobj=buffered)
    if head.startswith(ZSTD_MAGIC):
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
    if head.startswith(XZ_MAGIC):
        import lzma

        return lzma.LZMAFile(buffered)
    if head.startswith(BZIP2_MAGIC):
        import bz2

        return bz2.BZ2File(buffered)
    return buffered


class GzipWriter:
    """Compresses into a blob what is written, and hashes it: the same bytes for the same content."""

    def __init__(self, target: BlobWriter) -> None:
        self._target = target
        self._running = hashlib.sha256()
        # No name and no time in the head: they would make two equal layers differ.
        self._gzip = gzip.GzipFile(
            filename="", mode="wb", fileobj=target, compresslevel=LEVEL, mtime=0
        )  # type: ignore[call-overload]  # it writes, and nothing else

    def write(self, chunk: bytes) -> int:
        """Append."""
        self._running.update(chunk)
        self._gzip.write(chunk)
        return len(chunk)

    def commit(self) -> tuple[str, str]:
        """Make the blob appear: (its digest, the digest of what was written)."""
        self._gzip.close()
        return self._target.commit(), f"sha256:{self._running.hexdigest()}"

    def discard(self) -> None:
        """Forget it. Idempotent."""
        self._target.discard()
