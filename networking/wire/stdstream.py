"""Docker's stream frames: stdout and stderr in one connection. Sans-IO.

A frame is eight bytes (stream number, three zeros, length big-endian) and the payload. Source: the
Engine API, ContainerAttach, "Stream format".
"""

from __future__ import annotations

import struct

_HEAD = struct.Struct(">BxxxI")
STDIN, STDOUT, STDERR = 0, 1, 2


def encode_frame(stream: int, data: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(stream, len(data)) + data


class FrameDecoder:
    """Bytes in any pieces -> whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete now: (stream number, payload)."""
        self._buffer += data
        found: list[tuple[int, bytes]] = []
        position = 0
        while len(self._buffer) - position >= _HEAD.size:
            stream, length = _HEAD.unpack_from(self._buffer, position)
            end = position + _HEAD.size + length
            if len(self._buffer) < end:
                break
            found.append((stream, bytes(self._buffer[position + _HEAD.size : end])))
            position = end
        del self._buffer[:position]
        return found
