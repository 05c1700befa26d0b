"""Entries of a json-file log: from lines of the file to what was written, by whom and when."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One entry: `text` ends in a newline unless more of the line follows."""

    stream: str
    time: str
    text: bytes
    attributes: str = ""


def parse_all(lines: list[bytes]) -> list[Entry]:
    """The entries of whole lines; all at once, which is what makes it fast, where all are sound."""
    try:
        documents = json.loads(b"[%s]" % b",".join(filter(None, lines)))
        return [
            Entry(
                document["stream"],
                document["time"],
                document["log"].encode("utf-8", "surrogateescape"),  # as the writer has it
                _attributes(document["attrs"]) if "attrs" in document else "",
            )
            for document in documents
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [parse(line) for line in lines if line]


def parse(line: bytes) -> Entry:
    """One line of the file; a broken one (a torn write) is shown as it is."""
    try:
        document = json.loads(line)
        text = document["log"].encode("utf-8", "surrogateescape")
        attributes = _attributes(document.get("attrs", {}))
        return Entry(document["stream"], document["time"], text, attributes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Entry("stderr", "0001-01-01T00:00:00Z", line + b"\n")


def _attributes(document: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in document.items())
