"""The wire format of protocol buffers, as far as BuildKit's messages need it. Pure.

A message is a mapping from field number to its values, in order: integers for varints, bytes for all
that has a length. Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = int | bytes
_MASK = (1 << 64) - 1


class WireError(ValueError):
    """The bytes are no message."""


class Message:
    """A decoded message; what is not there is a type's zero, as in proto3."""

    def __init__(self, raw: bytes) -> None:
        self.fields = decode(raw)

    def text(self, number: int) -> str:
        """A string field."""
        return self.data(number).decode("utf-8", "replace")

    def data(self, number: int) -> bytes:
        """A bytes field, or a message's bytes."""
        values = self.fields.get(number)
        last = values[-1] if values else b""
        if not isinstance(last, bytes):
            raise WireError(f"field {number} has no length")
        return last

    def number(self, number: int) -> int:
        """A signed integer field."""
        values = self.fields.get(number)
        last = values[-1] if values else 0
        if not isinstance(last, int):
            raise WireError(f"field {number} is no number")
        return last - (1 << 64) if last >> 63 else last

    def message(self, number: int) -> Message:
        """A field that is a message; an empty one if it is not there."""
        return Message(self.data(number))

    def has(self, number: int) -> bool:
        """Whether a field is there."""
        return number in self.fields

    def all(self, number: int) -> list[bytes]:
        """Every value of a repeated field."""
        return [value for value in self.fields.get(number, ()) if isinstance(value, bytes)]

    def mapping(self, number: int) -> dict[str, str]:
        """A map<string, string>."""
        entries = [Message(raw) for raw in self.all(number)]
        return {entry.text(1): entry.text(2) for entry in entries}


def decode(raw: bytes) -> dict[int, list[Value]]:
    """The fields of a message. Raises WireError."""
    found: dict[int, list[Value]] = {}
    position = 0
    while position < len(raw):
        key, position = _varint(raw, position)
        kind, number = key & 7, key >> 3
        value: Value
        if kind == 0:
            value, position = _varint(raw, position)
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind, 0)
            if kind == 2:
                size, position = _varint(raw, position)
            if position + size > len(raw):
                raise WireError("a field goes beyond the message")
            value = raw[position : position + size]
            position += size
        else:
            raise WireError(f"the wire type {kind} is unknown")
        found.setdefault(number, []).append(value)
    return found


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(raw) or shift > 63:
            raise WireError("a number has no end")
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, position
        shift += 7


def varint(value: int) -> bytes:
    """An unsigned integer; a negative one as its 64-bit complement."""
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(*fields: tuple[int, int | str | bytes | None]) -> bytes:
    """A message of (number, value) pairs, zeros left out as in proto3."""
    out = bytearray()
    for number, value in fields:
        if not value:
            continue
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return bytes(out)


def repeated(number: int, values: Iterable[bytes]) -> bytes:
    """A repeated field, empty values included."""
    return b"".join(varint(number << 3 | 2) + varint(len(value)) + value for value in values)


def mapping(number: int, entries: Mapping[str, str | bytes]) -> bytes:
    """A map<string, string or bytes>."""
    return repeated(number, (encode((1, key), (2, value)) for key, value in entries.items()))


def timestamp(ns: int) -> bytes:
    """google.protobuf.Timestamp."""
    return encode((1, ns // 10**9), (2, ns % 10**9))
