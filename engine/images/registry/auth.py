"""How a registry wants to be asked: challenges read, credentials typed. Pure.

Sources: RFC 9110 section 11 (challenges), the distribution project's token authentication, and
Docker's X-Registry-Auth header (base64url JSON, docs of the Engine API, "Authentication").
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*,?\s*')


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the user has for one registry; all empty is anonymous."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    @property
    def basic(self) -> str:
        """The value of a Basic Authorization header."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode()


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a WWW-Authenticate header; scheme and parameter names in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenge(header: str) -> Challenge | None:
    """The first Bearer or Basic challenge of a WWW-Authenticate header, None without one."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() not in ("bearer", "basic"):
        return None
    parameters = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        for name, quoted, plain in _PARAMETER.findall(rest)
    }
    return Challenge(scheme.lower(), parameters)


def decode_registry_auth(header: str) -> Credentials:
    """The X-Registry-Auth header of a Docker client; "" is anonymous. Raises InvalidRequestError."""
    if not header:
        return Credentials()
    try:
        padded = header + "=" * (-len(header) % 4)
        document = json.loads(base64.urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")))
    except (ValueError, binascii.Error) as error:
        raise InvalidRequestError(f"invalid X-Registry-Auth header: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError("invalid X-Registry-Auth header: it holds no JSON object")
    return Credentials(
        username=str(document.get("username") or ""),
        password=str(document.get("password") or ""),
        identity_token=str(document.get("identitytoken") or ""),
        registry_token=str(document.get("registrytoken") or ""),
    )
