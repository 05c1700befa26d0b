"""`login`, `logout` and `search`: what is between a person and a registry, the engine asking it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.engine_client import image_calls
from compose.engine_client.payloads.references import registry_of
from compose.errors import ComposeError
from compose.operations.credentials import (
    credentials,
    encode,
    erase,
    key_of,
    read_config,
    store,
)
from compose.operations.objects import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from compose.operations.session import Session


def login(
    session: Session, server: str, name: str, read_secret: Callable[[str], tuple[str, str]]
) -> Path | None:
    """Check and keep credentials; the file that has them as plain text, if one has.

    `read_secret` is given what is known of the name and tells name and password; what was kept
    before is tried first where no name is given. Raises ComposeError.
    """
    key = key_of(server)
    known = credentials(read_config(session.environment), key)
    if not name and known:
        try:
            return check(session, key, known)
        except ComposeError:
            pass  # it is no longer good: ask
    name, secret = read_secret(name or known.get("username", ""))
    given = {"username": name, "password": secret, "serveraddress": key}
    return check(session, key, given)


def check(session: Session, key: str, given: Mapping[str, str]) -> Path | None:
    """Ask the registry, and keep what it takes."""
    answer: dict[str, Any] = ask(session, image_calls.check_login(given)) or {}
    entry = dict(given)
    if answer.get("IdentityToken"):
        entry = {"username": given.get("username", ""), "identitytoken": answer["IdentityToken"]}
    return store(session.environment, key, entry)


def logout(environment: Mapping[str, str], server: str) -> bool:
    """Forget a registry's credentials; False if there were none. Raises ComposeError."""
    return erase(environment, server)


def search(
    session: Session, term: str, filters: Mapping[str, list[str]], limit: int
) -> list[dict[str, Any]]:
    """What a registry finds for a word. Raises ComposeError."""
    known = credentials(read_config(session.environment), registry_of(term))
    auth = encode(known) if known else ""
    return list(ask(session, image_calls.search(term, filters, limit, auth)) or [])
