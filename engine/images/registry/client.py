"""One registry over HTTP: manifests, blobs and tags, with authentication and retries.

Rules: a manifest that leaves here has been checked against its digest and size; a blob's bytes are
checked by who writes them (download.py). Foreign errors (httpx) are mapped here, once.
Sources: OCI distribution-spec v1.1; Docker's token authentication specification.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx
import trio

from engine.images.registry.answers import RETRIED_STATUS, RegistryError, backoff, refusal, wait_of
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
    from collections.abc import AsyncIterator, Callable, Iterable

    Content = Callable[[], AsyncIterator[bytes]]

CHUNK = 1 << 20
#: Times that a registry may be silent for as long as we wait, before it is given up.
SILENCES = 2


class RegistryClient:
    """One registry; open with `open_endpoint` or `open_registry`."""

    def __init__(
        self, http: httpx.AsyncClient, base: str, credentials: Credentials, *, attempts: int = 5
    ) -> None:
        self.base = base
        self.attempts = attempts
        self._http = http
        self._credentials = credentials
        self._authorization: dict[str, str] = {}
        self._offline = False  # ask token servers for a token to keep
        self._identity_token = ""

    async def manifest(self, repository: str, reference: str) -> Manifest | Index:
        """The manifest or index that a tag or digest names, verified.

        Raises NotFoundError, AccessDeniedError, RegistryError.
        """
        path = f"/v2/{repository}/manifests/{reference}"
        raw = bytearray()
        async with self.answer("GET", path, repository, headers=_ACCEPT) as response:
            async with aclosing(generator(response.aiter_bytes())) as chunks:
                async for chunk in chunks:
                    raw += chunk
                    if len(raw) > SIZE_LIMIT:
                        raise RegistryError(
                            f"the manifest of {repository}:{reference} is over {SIZE_LIMIT} bytes"
                        )
            kind = response.headers.get("content-type", "")
        expected = reference if is_digest(reference) else ""
        return parse_manifest(bytes(raw), kind, expected)

    async def manifest_digest(self, repository: str, tag: str) -> str:
        """The digest that a tag has now (HEAD: no pull is counted); "" if the registry says none."""
        path = f"/v2/{repository}/manifests/{tag}"
        async with self.answer(
            "HEAD", path, repository, accept=(200, 400, 404, 405), headers=_ACCEPT
        ) as response:
            digest: str = response.headers.get("docker-content-digest", "")
            return digest if response.status_code == 200 and is_digest(digest) else ""

    async def tags(self, repository: str) -> list[str]:
        """All tags of a repository. Raises NotFoundError, AccessDeniedError, RegistryError."""
        found: list[str] = []
        path = f"/v2/{repository}/tags/list?n=1000"
        while path:
            async with self.answer("GET", path, repository) as response:
                document = _document(await response.aread(), self.base)
                found += [str(tag) for tag in document.get("tags") or []]
                following = response.links.get("next", {}).get("url", "")
                path = urljoin(str(response.url), following) if following else ""
        return found

    @asynccontextmanager
    async def blob(self, repository: str, digest: str, at: int) -> AsyncIterator[httpx.Response]:
        """The answer to a GET of a blob, its bytes from `at` on if the registry can (206)."""
        headers = {"Range": f"bytes={at}-"} if at else {}
        path = f"/v2/{repository}/blobs/{digest}"
        async with self.answer(
            "GET", path, repository, accept=(200, 206, 416), headers=headers
        ) as response:
            yield response

    async def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository has this blob (HEAD)."""
        path = f"/v2/{repository}/blobs/{digest}"
        async with self.answer(
            "HEAD", path, repository, "pull,push", accept=(200, 404)
        ) as response:
            return response.status_code == 200

    async def mount_blob(self, repository: str, digest: str, source: str) -> bool:
        """Ask for a blob of another repository here; False if it must be uploaded after all."""
        path = f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}"
        async with self.answer(
            "POST", path, repository, "pull,push", accept=(201, 202, 400, 404, 405)
        ) as response:
            return response.status_code == 201

    async def upload_blob(self, repository: str, digest: str, content: Content, size: int) -> None:
        """Upload a blob in one request; `content` is called anew for every try."""
        for last in (*[False] * (self.attempts - 1), True):
            path = f"/v2/{repository}/blobs/uploads/"
            async with self.answer("POST", path, repository, "pull,push", accept=(202,)) as opened:
                location = urljoin(str(opened.url), opened.headers.get("location", ""))
            separator = "&" if "?" in location else "?"
            # A broken upload is begun anew: its address is good for one.
            async with self.answer(
                "PUT",
                f"{location}{separator}digest={digest}",
                repository,
                "pull,push",
                accept=(201,) if last else (201, 404, 416),
                headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
                content=content,
            ) as response:
                if response.status_code == 201:
                    return

    async def put_manifest(self, repository: str, reference: str, raw: bytes, kind: str) -> None:
        """Upload a manifest under a tag or digest."""

        async def content() -> AsyncIterator[bytes]:
            yield raw

        async with self.answer(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            repository,
            "pull,push",
            accept=(200, 201, 202),
            headers={"Content-Type": kind, "Content-Length": str(len(raw))},
            content=content,
        ):
            pass

    async def check_login(self) -> str:
        """Ask /v2/ with the credentials; the identity token that a token server gave, if any."""
        self._offline = True
        async with self.answer("GET", "/v2/", "", "login"):
            return self._identity_token

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        repository: str,
        actions: str = "pull",
        *,
        accept: Iterable[int] = (200,),
        headers: dict[str, str] | None = None,
        content: Content | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """One answer, its body unread: authenticated when asked, tried again while that may help."""
        address = path if path.startswith("http") else self.base + path
        authenticated, attempt, silences = False, 0, 0
        while True:
            request = self._http.build_request(
                method,
                address,
                headers={"Accept-Encoding": "identity", **self._authorization, **(headers or {})},
                content=content() if content else None,
            )
            try:
                response = await self._http.send(request, stream=True)
            except httpx.ProxyError as error:
                raise RegistryError(
                    f"cannot reach the registry {self.base}: the proxy refuses: {_why(error)}"
                ) from error
            except httpx.ConnectError as error:
                raise RegistryError(
                    f"cannot reach the registry {self.base}: {_why(error)}"
                ) from error
            except httpx.TransportError as error:
                silences += isinstance(error, httpx.TimeoutException)
                attempt += 1
                if attempt >= self.attempts or silences >= SILENCES:
                    raise RegistryError(f"the registry {self.base} {_hung_up(error)}") from error
                await trio.sleep(backoff(attempt - 1))
                continue
            except httpx.InvalidURL as error:
                raise RegistryError(
                    f"the registry {self.base} sent a broken address: {error}"
                ) from error
            try:
                wait = await self._what_now(
                    response, repository, actions, set(accept), attempt, authenticated
                )
                if wait is None:
                    yield response
                    return
            finally:
                await response.aclose()
            authenticated = authenticated or response.status_code == 401
            attempt += response.status_code != 401
            await trio.sleep(wait)

    async def _what_now(
        self,
        response: httpx.Response,
        repository: str,
        actions: str,
        accept: set[int],
        attempt: int,
        authenticated: bool,  # noqa: FBT001  # one caller, in the order of its facts
    ) -> float | None:
        """None to take the answer, else the seconds until another try. Raises what it amounts to."""
        status = response.status_code
        if status == 401 and not authenticated:
            await self._authenticate(response, repository, actions)
            return 0
        if status in accept:
            return None
        if status in RETRIED_STATUS and attempt + 1 < self.attempts:
            wait = wait_of(response, attempt, time.time())
            if wait is not None:
                return wait
        await _read_error(response)
        raise refusal(response, repository, actions)

    async def _authenticate(self, response: httpx.Response, repository: str, actions: str) -> None:
        challenge = parse_challenge(response.headers.get("www-authenticate", ""))
        if self._credentials.registry_token:
            self._authorization = {"Authorization": f"Bearer {self._credentials.registry_token}"}
        elif challenge is None or (challenge.scheme == "basic" and not self._credentials.username):
            await _read_error(response)
            raise refusal(response, repository, actions)
        elif challenge.scheme == "basic":
            self._authorization = {"Authorization": self._credentials.basic}
        else:
            token = await self._token(challenge, repository, actions)
            self._authorization = {"Authorization": f"Bearer {token}"}

    async def _token(self, challenge: Challenge, repository: str, actions: str) -> str:
        realm = challenge.parameters.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            raise RegistryError(f"the registry {self.base} names no token server")
        fields = {"service": challenge.parameters.get("service", "")}
        scope = challenge.parameters.get("scope", "")
        if repository and (actions != "pull" or not scope):
            scope = f"repository:{repository}:{actions}"
        if scope:
            fields["scope"] = scope
        if self._offline:
            fields |= {"offline_token": "true", "client_id": "pycompose"}
        given = self._credentials
        try:
            if given.identity_token:
                fields |= {"grant_type": "refresh_token", "refresh_token": given.identity_token}
                answer = await self._http.post(realm, data={**fields, "client_id": "pycompose"})
            else:
                headers = {"Authorization": given.basic} if given.username else {}
                answer = await self._http.get(realm, params=fields, headers=headers)
        except httpx.TransportError as error:
            raise RegistryError(f"cannot reach the token server {realm}: {_why(error)}") from error
        if answer.status_code != 200:
            raise refusal(answer, repository, actions)
        document = _document(answer.content, realm)
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str):
            raise RegistryError(f"the token server {realm} sent no token")
        self._identity_token = str(document.get("refresh_token") or "")
        return token


def generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """What httpx gives is one, and its types do not say so: whoever breaks off must close it."""
    assert isinstance(chunks, AsyncGenerator)
    return chunks


_ACCEPT = {"Accept": ", ".join(ACCEPTED)}


def _document(raw: bytes, who: str) -> dict[str, Any]:
    import json

    try:
        document = json.loads(raw)
    except ValueError as error:
        raise RegistryError(f"{who} sent no JSON") from error
    if not isinstance(document, dict):
        raise RegistryError(f"{who} sent no JSON object")
    return document


async def _read_error(response: httpx.Response) -> None:
    """The body, for the words in it; an error's body that breaks off has none."""
    try:
        with trio.move_on_after(5):
            await response.aread()
    except httpx.TransportError:
        pass


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _hung_up(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "does not answer: it was silent for too long"
    return f"hung up: {_why(error)}"
