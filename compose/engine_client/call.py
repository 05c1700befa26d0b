"""A call of the Engine API as a value, and what an answer to it means. No I/O.

Both clients (blocking.py for commands of one or two calls, transport.py on trio for the rest) run
the same values, so what is asked is written once, in calls.py.
"""

from __future__ import annotations

import json

from compose.engine_client.http1 import encode_query
from compose.errors import EngineRefusedError
from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: The newest version that this client was written against; older engines are met halfway.
NEWEST_VERSION = (1, 51)
OLDEST_VERSION = (1, 24)


class Call(Record):
    """One request. `accept` are statuses of 400 and over that count as success."""

    method: str
    path: str
    query: Mapping[str, str | list[str]] = EMPTY
    body: bytes = b""
    headers: Mapping[str, str] = EMPTY
    accept: tuple[int, ...] = ()
    versioned: bool = True

    def target(self, version: tuple[int, int] | None) -> str:
        """The request's target below the version's prefix."""
        prefix = f"/v{version[0]}.{version[1]}" if version and self.versioned else ""
        return prefix + self.path + encode_query(self.query)


class Answer(Record):
    """What came back, the body whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body decoded; None for an empty one."""
        return json.loads(self.body) if self.body else None


def json_call(
    method: str,
    path: str,
    document: Any = None,
    query: Mapping[str, str | list[str]] | None = None,
    accept: tuple[int, ...] = (),
) -> Call:
    """A call with a JSON body, where `document` is not None."""
    if document is None:
        return Call(method, path, query or {}, accept=accept)
    return Call(
        method,
        path,
        query or {},
        json.dumps(document, separators=(",", ":")).encode(),
        {"Content-Type": "application/json"},
        accept,
    )


def raise_for_status(call: Call, status: int, body: bytes) -> None:
    """EngineRefusedError with the engine's own words, unless the status is a success for this call."""
    if status < 400 or status in call.accept:
        return
    raise EngineRefusedError(
        message_of(body) or f"{call.method} {call.path}: HTTP {status}", status=status
    )


def message_of(body: bytes) -> str:
    """The text in an error's body."""
    try:
        document = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip()
    if isinstance(document, dict):
        return str(document.get("message", "")).strip()
    return str(document)


def negotiate(header: str) -> tuple[int, int]:
    """The version to speak with an engine whose Api-Version is `header`."""
    major, _, minor = header.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        return OLDEST_VERSION
    return min(NEWEST_VERSION, (int(major), int(minor)))


def encode_filters(**values: list[str]) -> dict[str, str]:
    """The `filters` query parameter; empty lists are left out."""
    kept = {key: wanted for key, wanted in values.items() if wanted}
    return {"filters": json.dumps(kept, separators=(",", ":"))} if kept else {}
