"""Streams of JSON objects (events, progress of pulls and builds, stats) from bytes. Sans-IO."""

from __future__ import annotations

import codecs
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class JsonStream:
    """Bytes in any pieces -> the objects that are complete. Line breaks between them do not matter."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._parse = json.JSONDecoder().raw_decode
        self._text = ""

    def feed(self, piece: bytes) -> list[dict[str, Any]]:
        """The objects that end in this piece."""
        found: list[dict[str, Any]] = []
        self._text = (self._text + self._decode(piece)).lstrip()
        while self._text:
            try:
                value, end = self._parse(self._text)
            except ValueError:
                break  # the rest of it is still on its way
            found.append(value)
            self._text = self._text[end:].lstrip()
        return found
