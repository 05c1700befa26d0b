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
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete now: (stream number, payload)."""
        # A million frames come through here when a log is read back: no copies but the payloads.
        data = self._rest + data if self._rest else data
        found: list[tuple[int, bytes]] = []
        unpack, size, whole = _HEAD.unpack_from, _HEAD.size, len(data)
        position = 0
        while position + size <= whole:
            stream, length = unpack(data, position)
            end = position + size + length
            if end > whole:
                break
            found.append((stream, data[position + size : end]))
            position = end
        self._rest = data[position:]
        return found
