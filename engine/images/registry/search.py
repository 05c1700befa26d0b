"""What is not about one repository: search by a word, a login checked, an archive from a URL.

Sources: Docker's registry API v1 (search), the OCI distribution-spec (catalog), which is all that a
registry of today may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from engine.errors import EngineError, InvalidRequestError, NotFoundError
from engine.images.registry.answers import AccessDeniedError, RegistryError
from engine.images.registry.connect import open_registry
from engine.images.registry.settings import HUB, host_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from engine.images.registry.auth import Credentials
    from engine.images.registry.client import RegistryClient
    from engine.images.registry.settings import RegistrySettings

HUB_INDEX = "index.docker.io"
CHUNK = 1 << 18


class LoginRefusedError(EngineError):
    """The registry does not take these credentials (HTTP 401)."""

    status = 401


async def search(
    term: str, limit: int, credentials: Credentials, settings: RegistrySettings
) -> list[dict[str, Any]]:
    """Repositories that a word finds, as Docker shows them. Raises RegistryError."""
    first, slash, rest = term.partition("/")
    remote = bool(slash) and ("." in first or ":" in first or first == "localhost")
    host, word = (first, rest) if remote and first not in HUB else (HUB_INDEX, term)
    async with open_registry(host, credentials, settings) as client:
        async with client.answer(
            "GET", f"/v1/search?q={word}&n={limit}", word, accept=(200, 404)
        ) as response:
            if response.status_code == 200:
                try:
                    found = (await _json(response))["results"]
                    return [dict(one) for one in found][:limit]
                except (ValueError, KeyError, TypeError) as error:
                    raise RegistryError(f"{host} sent no search results") from error
        return await _catalog(client, word, limit)


async def _catalog(client: RegistryClient, word: str, limit: int) -> list[dict[str, Any]]:
    """A registry without search: the names in its catalog that have the word in them."""
    async with client.answer("GET", "/v2/_catalog?n=1000", "", accept=(200, 404)) as response:
        if response.status_code == 404:
            raise NotFoundError(f"{client.base} has no search and no catalog")
        try:
            names = [str(name) for name in (await _json(response))["repositories"] or []]
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(f"{client.base} sent no catalog") from error
    return [
        {
            "name": name, "description": "", "star_count": 0, "is_official": False,
            "is_automated": False,
        }
        for name in names
        if word in name
    ][:limit]  # fmt: skip


async def _json(response: httpx.Response) -> Any:
    await response.aread()
    return response.json()


async def login(address: str, credentials: Credentials, settings: RegistrySettings) -> str:
    """Check credentials with a registry; the identity token it gives for them, "" for none.

    Raises LoginRefusedError, RegistryError.
    """
    host = address.removeprefix("https://").removeprefix("http://").partition("/")[0]
    host = "registry-1.docker.io" if host in HUB or not host else host
    try:
        async with open_registry(host, credentials, settings) as client:
            return await client.check_login()
    except AccessDeniedError as error:
        raise LoginRefusedError(
            f"login attempt to {host} failed: unauthorized: incorrect username or password"
        ) from error


async def fetched(address: str) -> AsyncGenerator[bytes, None]:
    """The bytes at a URL (docker import URL). Raises InvalidRequestError, RegistryError."""
    if not address.startswith(("http://", "https://")):
        address = f"http://{address}"
    host = host_name(address.partition("://")[2].partition("/")[0])
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=30) as http,
            http.stream("GET", address) as response,
        ):
            if response.status_code != 200:
                raise InvalidRequestError(f"{address} answers {response.status_code}")
            async for chunk in response.aiter_raw(CHUNK):
                yield chunk
    except httpx.InvalidURL as error:
        raise InvalidRequestError(f"{address} is no URL: {error}") from error
    except httpx.TransportError as error:
        raise RegistryError(f"cannot fetch from {host}: {error}") from error
