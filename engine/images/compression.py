"""Layers as they come, plain, gzip or zstd, as one stream of tar bytes that is hashed on its way."""

from __future__ import annotations

import gzip
import hashlib
import io
from typing import IO, Any

from engine.errors import InvalidRequestError

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
XZ_MAGIC = b"\xfd7zXZ\x00"
BZIP2_MAGIC = b"BZh"


class HashedReader(io.RawIOBase):
    """Reads from another stream and hashes what passes."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._running = hashlib.sha256()
        self.size = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes. Raises InvalidRequestError for broken compression."""
        try:
            chunk: bytes = self._source.read(size)
        except (OSError, EOFError, ValueError) as error:
            raise InvalidRequestError(f"the archive's compression is broken: {error}") from error
        self._running.update(chunk)
        self.size += len(chunk)
        return chunk

    def drain(self) -> str:
        """Read to the end; the digest of everything, "sha256:<hex>"."""
        while self.read(1 << 20):
            pass
        return f"sha256:{self._running.hexdigest()}"


def open_tar(raw: IO[bytes]) -> HashedReader:
    """The tar inside a stream by its first bytes. The stream must be buffered (peek)."""
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)  # type: ignore[type-var]  # any object with read
    head = buffered.peek(6)[:6]
    if head.startswith(GZIP_MAGIC):
        return HashedReader(gzip.GzipFile(fileobj=buffered))
    if head.startswith(ZSTD_MAGIC):
        import zstandard

        return HashedReader(
            zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
        )
    if head.startswith(XZ_MAGIC):
        import lzma

        return HashedReader(lzma.LZMAFile(buffered))
    if head.startswith(BZIP2_MAGIC):
        import bz2

        return HashedReader(bz2.BZ2File(buffered))
    return HashedReader(buffered)
