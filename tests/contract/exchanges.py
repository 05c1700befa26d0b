"""Requests put to an engine as raw HTTP, and answers as what two engines must have in common."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

#: The version that both sides speak: what Debian's Docker Engine has.
VERSION = "/v1.41"
#: Seconds that an answer may take; without one its status is 0.
PATIENCE = 40


@dataclass(frozen=True)
class Ask:
    """One request. `keep` names a field of the answer that later targets may use, as {name}."""

    method: str
    target: str
    body: Any = None
    keep: str = ""

    def __str__(self) -> str:
        words = "" if self.body is None else " " + json.dumps(self.body)
        return f"{self.method} {self.target}{words}"[:140]


@dataclass(frozen=True)
class Said:
    """The answer: status and decoded body."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """What an error says."""
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else ""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over an engine's socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def put(host: str, asks: list[Ask]) -> list[Said]:
    """Put them in order to the engine at unix://...; the answers."""
    kept: dict[str, str] = {}
    answers = []
    for ask in asks:
        target = ask.target
        for name, value in kept.items():
            target = target.replace("{" + name + "}", value)
        connection = UnixConnection(host.removeprefix("unix://"))
        try:
            body = None if ask.body is None else json.dumps(ask.body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(ask.method, VERSION + target, body, headers)
            response = connection.getresponse()
            said = Said(response.status, decoded(response.read()))
        except TimeoutError:
            said = Said(0, f"no answer in {PATIENCE} seconds")
        finally:
            connection.close()
        if ask.keep:
            kept[ask.keep] = said.body.get("Id", "none") if said.status == 201 else "none"
        answers.append(said)
    return answers


def decoded(data: bytes) -> Any:
    """JSON if it is, else text; None for an empty body."""
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode(errors="replace")


def kinds(value: Any, at: str = "") -> dict[str, str]:
    """Key path -> kind of value, through maps and the first elements of lists.

    Empty lists and maps and null are one kind, for Go prints any of them for "none".
    """
    if isinstance(value, dict) and value:
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= kinds(inner, f"{at}.{key}")
        return found
    if isinstance(value, list) and value:
        return kinds(value[0], f"{at}[]")
    if value is None or value in ([], {}):
        return {at: "none"}
    if isinstance(value, bool):
        return {at: "bool"}
    return {at: "number" if isinstance(value, int | float) else type(value).__name__}
