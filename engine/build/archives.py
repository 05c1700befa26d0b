"""What is an archive, by its content: ADD, and a context that is a file, unpack those."""

from __future__ import annotations

import tarfile
import zlib
from typing import IO

from engine.images.compression import BZIP2_MAGIC, GZIP_MAGIC, XZ_MAGIC, ZSTD_MAGIC

#: Enough of a file for its first block, also where it is compressed in large blocks.
_HEAD = 1 << 20


def is_tar(stream: IO[bytes]) -> bool:
    """Whether a file is a tar, compressed or not, by its first block; what follows may be broken."""
    from lzma import LZMAError

    from zstandard import ZstdError

    try:
        block = _first_block(stream.read(_HEAD))
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, zlib.error, LZMAError, ZstdError, OSError):
        return False
    return True


def _first_block(head: bytes) -> bytes:
    """The first bytes that a file's beginning stands for, without its compression."""
    import bz2
    import lzma

    import zstandard

    if head.startswith(GZIP_MAGIC):
        return zlib.decompressobj(31).decompress(head, tarfile.BLOCKSIZE)
    if head.startswith(BZIP2_MAGIC):
        return bz2.BZ2Decompressor().decompress(head, tarfile.BLOCKSIZE)
    if head.startswith(XZ_MAGIC):
        return lzma.LZMADecompressor().decompress(head, tarfile.BLOCKSIZE)
    if head.startswith(ZSTD_MAGIC):
        reader = zstandard.ZstdDecompressor().stream_reader(head)
        return reader.read(tarfile.BLOCKSIZE)
    return head[: tarfile.BLOCKSIZE]
