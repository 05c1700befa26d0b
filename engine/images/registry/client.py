"""One registry over HTTP: manifests and blobs, with authentication, retries and resumption.

Rules: every byte that leaves here has been checked against its digest and size. Foreign errors
(httpx) are mapped here, once. Waiting between tries honours Retry-After, else doubles from 250 ms.
Sources: OCI distribution-spec v1.1; Docker's token authentication specification.
"""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx
import trio

from engine.errors import EngineError, NotFoundError
from engine.images.registry.auth import Challenge, Credentials, parse_challenge
from engine.images.registry.manifest import (
    ACCEPTED,
    SIZE_LIMIT,
    Index,
    Manifest,
    is_digest,
    parse_manifest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TRIES = 5
CHUNK = 256 << 10
#: Seconds without a byte after which a connection counts as dead.
SILENCE = 30.0
RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_WAIT = 30.0


class RegistryError(EngineError):
    """The registry refused, could not be reached, or did not keep its word."""


class AccessDeniedError(EngineError):
    """The registry wants other credentials (Docker answers 404 or 500 with these words)."""

    status = 404


class RegistryClient:
    """One repository's registry; open with `open_registry`."""

    def __init__(self, http: httpx.AsyncClient, base: str, credentials: Credentials) -> None:
        self._http = http
        self._base = base
        self._credentials = credentials
        self._authorization: dict[str, str] = {}

    async def manifest(self, repository: str, reference: str) -> Manifest | Index:
        """The manifest or index that a tag or digest names, verified.

        Raises NotFoundError, AccessDeniedError, RegistryError.
        """
        response = await self._request(
            "GET",
            f"/v2/{repository}/manifests/{reference}",
            repository,
            headers={"Accept": ", ".join(ACCEPTED)},
        )
        if len(response.content) > SIZE_LIMIT:
            raise RegistryError(
                f"the manifest of {repository}:{reference} is over {SIZE_LIMIT} bytes"
            )
        expected = reference if is_digest(reference) else ""
        return parse_manifest(response.content, response.headers.get("content-type", ""), expected)

    async def blob(
        self,
        repository: str,
        digest: str,
        size: int,
        write: Callable[[bytes], None],
        start: int = 0,
    ) -> None:
        """Download a blob and hand its bytes to `write`, in order; a cut connection is resumed.

        The digest is checked over what is written from 0; with `start` > 0 the caller has the first
        bytes already and checks the whole. Raises RegistryError, NotFoundError.
        """
        algorithm, _, wanted = digest.partition(":")
        running = hashlib.new(algorithm)
        at, tries = start, 0
        while at < size or (size == 0 and tries == 0):
            before = at
            try:
                async for chunk in self._blob_chunks(repository, digest, at):
                    at += len(chunk)
                    if at > size:
                        raise RegistryError(
                            f"blob {digest} is larger than the {size} bytes promised"
                        )
                    running.update(chunk)
                    write(chunk)
                if at >= size:
                    break
            except (httpx.TransportError, httpx.StreamError) as error:
                if tries >= TRIES:
                    raise RegistryError(f"blob {digest}: the connection broke: {error}") from error
            tries = 0 if at > before else tries + 1
            if tries > TRIES:
                raise RegistryError(f"blob {digest} ends after {at} of {size} bytes")
            await trio.sleep(backoff(tries))
        if start == 0 and running.hexdigest() != wanted:
            raise RegistryError(f"blob {digest} arrived with another digest: refused")

    async def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository has this blob (HEAD)."""
        response = await self._request(
            "HEAD", f"/v2/{repository}/blobs/{digest}", repository, "pull,push", accept=(200, 404)
        )
        return response.status_code == 200

    async def mount_blob(self, repository: str, digest: str, source: str) -> bool:
        """Ask for a blob of another repository here; False if it must be uploaded after all."""
        response = await self._request(
            "POST",
            f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}",
            repository,
            "pull,push",
            accept=(201, 202, 404),
        )
        return response.status_code == 201

    async def upload_blob(
        self, repository: str, digest: str, content: Callable[[], AsyncIterator[bytes]], size: int
    ) -> None:
        """Upload a blob in one request; `content` is called anew for every try."""
        opened = await self._request(
            "POST", f"/v2/{repository}/blobs/uploads/", repository, "pull,push", accept=(202,)
        )
        location = urljoin(str(opened.url), opened.headers["location"])
        separator = "&" if "?" in location else "?"
        await self._request(
            "PUT",
            f"{location}{separator}digest={digest}",
            repository,
            "pull,push",
            accept=(201,),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
            content=content,
        )

    async def put_manifest(
        self, repository: str, reference: str, manifest: Manifest | Index
    ) -> None:
        """Upload a manifest under a tag or digest."""
        raw = manifest.raw

        async def content() -> AsyncIterator[bytes]:
            yield raw

        await self._request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            repository,
            "pull,push",
            accept=(201,),
            headers={"Content-Type": manifest.media_type, "Content-Length": str(len(raw))},
            content=content,
        )

    async def _blob_chunks(self, repository: str, digest: str, at: int) -> AsyncIterator[bytes]:
        address = f"{self._base}/v2/{repository}/blobs/{digest}"
        for attempt in range(TRIES + 1):
            headers = dict(self._authorization)
            if at:
                headers["Range"] = f"bytes={at}-"
            async with self._http.stream("GET", address, headers=headers) as response:
                if response.status_code == 401 and attempt == 0:
                    await response.aread()
                    await self._authenticate(response, repository, "pull")
                    continue
                if response.status_code in RETRIED_STATUS and attempt < TRIES:
                    await trio.sleep(wait_of(response, attempt))
                    continue
                if response.status_code not in (200, 206):
                    await response.aread()
                    raise refusal(response, repository)
                skip = at if response.status_code == 200 else 0
                async for chunk in response.aiter_raw(CHUNK):
                    wanted = chunk[skip:]
                    skip = max(0, skip - len(chunk))
                    if wanted:
                        yield wanted
                return

    async def _request(
        self,
        method: str,
        path: str,
        repository: str,
        actions: str = "pull",
        *,
        accept: tuple[int, ...] = (200,),
        headers: dict[str, str] | None = None,
        content: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> httpx.Response:
        """One answered request: authenticated when asked, tried again while that may help."""
        address = path if path.startswith("http") else self._base + path
        authenticated = False
        attempt = 0
        while True:
            try:
                response = await self._http.request(
                    method,
                    address,
                    headers={**self._authorization, **(headers or {})},
                    content=content() if content else None,
                )
            except httpx.ConnectError as error:
                raise RegistryError(f"cannot reach the registry {self._base}: {error}") from error
            except httpx.TransportError as error:
                if attempt >= TRIES:
                    raise RegistryError(f"the registry {self._base} hung up: {error}") from error
                await trio.sleep(backoff(attempt))
                attempt += 1
                continue
            if response.status_code == 401 and not authenticated:
                await self._authenticate(response, repository, actions)
                authenticated = True
            elif response.status_code in RETRIED_STATUS and attempt < TRIES:
                await trio.sleep(wait_of(response, attempt))
                attempt += 1
            elif response.status_code in accept:
                return response
            else:
                raise refusal(response, repository)

    async def _authenticate(self, response: httpx.Response, repository: str, actions: str) -> None:
        challenge = parse_challenge(response.headers.get("www-authenticate", ""))
        if self._credentials.registry_token:
            self._authorization = {"Authorization": f"Bearer {self._credentials.registry_token}"}
        elif challenge is None:
            raise refusal(response, repository)
        elif challenge.scheme == "basic":
            if not self._credentials.username:
                raise refusal(response, repository)
            self._authorization = {"Authorization": self._credentials.basic}
        else:
            token = await self._token(challenge, repository, actions)
            self._authorization = {"Authorization": f"Bearer {token}"}

    async def _token(self, challenge: Challenge, repository: str, actions: str) -> str:
        realm = challenge.parameters.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            raise RegistryError(f"the registry {self._base} names no token server")
        scope = challenge.parameters.get("scope") or f"repository:{repository}:{actions}"
        fields = {"service": challenge.parameters.get("service", ""), "scope": scope}
        given = self._credentials
        if given.identity_token:
            fields |= {"grant_type": "refresh_token", "refresh_token": given.identity_token}
            answer = await self._http.post(realm, data={**fields, "client_id": "pycompose"})
        else:
            headers = {"Authorization": given.basic} if given.username else {}
            answer = await self._http.get(realm, params=fields, headers=headers)
        if answer.status_code != 200:
            raise refusal(answer, repository)
        document: dict[str, Any] = answer.json()
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str):
            raise RegistryError(f"the token server {realm} sent no token")
        return token


@asynccontextmanager
async def open_registry(
    host: str, credentials: Credentials, *, insecure: bool = False
) -> AsyncIterator[RegistryClient]:
    """A client for the registry at `host` (name[:port]); loopback registries may speak plain HTTP.

    `insecure` also admits plain HTTP and unknown certificates, as Docker's insecure-registries do.
    Proxies and additional CAs come from the environment (HTTPS_PROXY, SSL_CERT_FILE).
    """
    name = host.rsplit(":", 1)[0].strip("[]")
    loopback = name == "localhost" or name.startswith("127.") or name == "::1"
    timeout = httpx.Timeout(SILENCE, connect=15.0)
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(
        timeout=timeout,
        limits=limits,
        follow_redirects=True,
        verify=not insecure,
        headers={"User-Agent": "pycompose"},
    ) as http:
        scheme = "https"
        if loopback or insecure:
            scheme = await _scheme_of(http, host)
        yield RegistryClient(http, f"{scheme}://{host}", credentials)


async def _scheme_of(http: httpx.AsyncClient, host: str) -> str:
    """https where it answers, else http: Docker's order for registries that may be insecure."""
    try:
        await http.get(f"https://{host}/v2/")
    except httpx.TransportError:
        return "http"
    return "https"


def backoff(attempt: int) -> float:
    """Seconds to wait before try number `attempt` + 1."""
    return min(0.25 * (1 << attempt), LONGEST_WAIT)


def wait_of(response: httpx.Response, attempt: int) -> float:
    """Seconds to wait as the registry asks (Retry-After), at least the usual."""
    asked: str = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_WAIT) if asked.isdigit() else backoff(attempt)


def refusal(response: httpx.Response, repository: str) -> EngineError:
    """The error for an answer that is none of those hoped for, in Docker's words where it has some."""
    try:
        errors = response.json()["errors"]
        code, message = str(errors[0].get("code", "")), str(errors[0].get("message", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, httpx.ResponseNotRead):
        code, message = "", ""
    if response.status_code in (401, 403) or code in ("DENIED", "UNAUTHORIZED"):
        return AccessDeniedError(
            f"pull access denied for {repository}, repository does not exist or may require "
            f"'docker login': denied: {message or 'requested access to the resource is denied'}"
        )
    if response.status_code == 404:
        return NotFoundError(f"{repository}: {message or 'manifest unknown'}")
    if response.status_code == 429:
        return RegistryError(
            f"toomanyrequests: {message or 'the registry limits how often one may pull'}"
        )
    return RegistryError(
        f"the registry answered {response.status_code} for {repository}: {message or code}"
    )
