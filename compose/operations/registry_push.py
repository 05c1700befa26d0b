"""An OCI artifact into a registry and out of it: blobs and a manifest. Blocking, without an engine.

Source: the OCI Distribution Specification 1.1 (pushing blobs monolithically, pushing manifests) and
the distribution project's token authentication. As docker has it, a registry on this machine may do
without TLS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from compose.engine_client.payloads.references import DEFAULT_REGISTRY, registry_of, split_reference
from compose.errors import ComposeError
from compose.model.record import Record
from compose.operations.credentials import credentials, read_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
HUB = "registry-1.docker.io"
TIMEOUT = 60.0


class Blob(Record):
    """A part of an artifact: its bytes, what they are, and what is noted of them."""

    media_type: str
    data: bytes
    annotations: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Its name in the registry."""
        return digest_of(self.data)

    def descriptor(self) -> dict[str, Any]:
        """How a manifest names it."""
        found: dict[str, Any] = {
            "mediaType": self.media_type, "digest": self.digest, "size": len(self.data),
        }  # fmt: skip
        return found | ({"annotations": dict(self.annotations)} if self.annotations else {})


def digest_of(data: bytes) -> str:
    """sha256:..."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def push_artifact(
    reference: str, blobs: list[Blob], manifest: bytes, environment: Mapping[str, str]
) -> str:
    """Push; returns the manifest's digest. Raises ComposeError naming the registry."""
    with door_to(reference, environment, "pull,push") as door:
        for blob in blobs:
            door.push_blob(blob)
        door.push_manifest(door.tag, manifest, MANIFEST)
    return digest_of(manifest)


@contextmanager
def door_to(reference: str, environment: Mapping[str, str], actions: str) -> Iterator[Door]:
    """A reference's repository, open for "pull" or "pull,push". Raises ComposeError naming the registry."""
    import httpx

    registry = registry_of(reference)
    host = HUB if registry == DEFAULT_REGISTRY else registry
    repository, tag = split_reference(reference)
    path = repository.removeprefix(f"{registry}/")
    if registry == DEFAULT_REGISTRY and "/" not in path:
        path = f"library/{path}"
    # The machine's own certificates, and those of SSL_CERT_FILE.
    trust = ssl.create_default_context()
    try:
        address = address_of(host, trust)
        with httpx.Client(base_url=address, timeout=TIMEOUT, verify=trust) as client:
            known = credentials(read_config(environment), registry)
            yield Door(client, path, tag, known, actions)
    except httpx.HTTPError as error:
        raise ComposeError(f"{reference}: cannot reach the registry {host}: {error}") from error


def address_of(host: str, trust: ssl.SSLContext) -> str:
    """https, but for a registry of this machine that does not speak it."""
    import httpx

    if LOCAL.fullmatch(host):
        try:
            httpx.get(f"https://{host}/v2/", timeout=TIMEOUT, verify=trust)
        except httpx.ConnectError:
            return f"http://{host}"
    return f"https://{host}"


class Door:
    """One repository of one registry, with the token that it wants; `tag` is what was asked for."""

    def __init__(
        self, client: httpx.Client, path: str, tag: str, known: Mapping[str, str], actions: str
    ) -> None:
        self.path = path
        self.tag = tag
        self._client = client
        self._known = known
        self._actions = actions
        self._authorization = ""

    def get(self, place: str, most: int, *, accept: str = "*/*") -> bytes:
        """What lies at a place of the repository. Raises ComposeError, also for more than `most` bytes."""
        answer = self.ask("GET", f"/v2/{self.path}/{place}", accept=accept)
        check(answer, (200,), f"{place} of {self.path}")
        if len(answer.content) > most:
            raise ComposeError(f"{place} of {self.path} is larger than {most >> 20} MiB")
        return answer.content

    def push_blob(self, blob: Blob) -> None:
        """Unless it is there."""
        if not self.has_blob(blob.digest):
            self.end_upload(self.begin_upload(), blob.digest, iter([blob.data]), len(blob.data))

    def push_manifest(self, name: str, content: bytes, kind: str) -> None:
        """By a tag or its own digest."""
        answer = self.ask("PUT", f"/v2/{self.path}/manifests/{name}", content, kind)
        check(answer, (201,), f"the manifest {self.path}:{name}")

    def has_blob(self, digest: str) -> bool:
        """Whether it is there."""
        return self.ask("HEAD", f"/v2/{self.path}/blobs/{digest}").status_code == 200

    def begin_upload(self, digest: str = "", near: str = "") -> str:
        """Where a blob is to be put; "" if the registry took it over from its repository `near`."""
        query = f"?mount={digest}&from={near}" if near else ""
        begun = self.ask("POST", f"/v2/{self.path}/blobs/uploads/{query}")
        check(begun, (201, 202), f"an upload to {self.path}")
        return "" if begun.status_code == 201 else str(begun.headers["location"])

    def end_upload(self, place: str, digest: str, pieces: Iterator[bytes], size: int) -> None:
        """Put a blob of `size` bytes there; the registry holds it against its digest."""
        place += ("&" if "?" in place else "?") + f"digest={digest}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        headers |= {"Authorization": self._authorization} if self._authorization else {}
        done = self._client.put(place, content=pieces, headers=headers)
        check(done, (201,), f"a blob of {self.path}")

    @contextmanager
    def blob(self, digest: str) -> Iterator[Iterator[bytes]]:
        """A blob's bytes, in pieces."""
        headers = {"Accept-Encoding": "identity"}  # the bytes that the digest is of
        headers |= {"Authorization": self._authorization} if self._authorization else {}
        with self._client.stream(
            "GET", f"/v2/{self.path}/blobs/{digest}", headers=headers, follow_redirects=True
        ) as answer:
            if answer.status_code != 200:
                answer.read()
                check(answer, (200,), f"{digest} of {self.path}")
            yield answer.iter_raw(1 << 18)

    def ask(
        self, method: str, url: str, body: bytes = b"", kind: str = "", accept: str = "*/*"
    ) -> httpx.Response:
        """One request; once more with credentials if the registry wants them."""
        headers = {"Accept": accept} | ({"Content-Type": kind} if kind else {})
        answer = self._request(method, url, body, headers)
        if answer.status_code == 401 and self._answer(answer):
            return self._request(method, url, body, headers)
        return answer

    def _request(
        self, method: str, url: str, body: bytes, headers: dict[str, str]
    ) -> httpx.Response:
        headers |= {"Authorization": self._authorization} if self._authorization else {}
        return self._client.request(
            method, url, content=body or None, headers=headers, follow_redirects=method == "GET"
        )

    def _answer(self, refused: httpx.Response) -> bool:
        """Take up the registry's challenge; False if there is nothing to show."""
        scheme, _, rest = refused.headers.get("www-authenticate", "").partition(" ")
        before = self._authorization
        if scheme.lower() == "basic" and self._known.get("username"):
            self._authorization = self._basic()
        elif scheme.lower() == "bearer":
            self._authorization = self._token(dict(PARAMETER.findall(rest)))
        return self._authorization != before

    def _basic(self) -> str:
        pair = f"{self._known['username']}:{self._known.get('password', '')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def _token(self, challenge: Mapping[str, str]) -> str:
        query = {"service": challenge.get("service", ""), "scope": f"repository:{self.path}:{self._actions}"}  # fmt: skip
        headers = {"Authorization": self._basic()} if self._known.get("username") else {}
        if self._known.get("identitytoken"):
            form = {**query, "grant_type": "refresh_token", "client_id": "pycompose", "refresh_token": self._known["identitytoken"]}  # fmt: skip
            answer = self._client.post(challenge["realm"], data=form)
        else:
            answer = self._client.get(challenge["realm"], params=query, headers=headers)
        check(answer, (200,), f"a token for {self.path}")
        found = answer.json()
        return f"Bearer {found.get('token') or found.get('access_token') or ''}"


def check(answer: httpx.Response, wanted: tuple[int, ...], what: str) -> None:
    """ComposeError for another status, in the registry's words."""
    if answer.status_code in wanted:
        return
    try:
        errors = answer.json()["errors"]
        words = "; ".join(str(one.get("message") or one.get("code")) for one in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        words = answer.text.strip()[:200]
    todo = ": log in with `pycompose login`" if answer.status_code in (401, 403) else ""
    raise ComposeError(f"the registry refused {what} (HTTP {answer.status_code}): {words}{todo}")


def manifest_of(kind: str, blobs: list[Blob], *, version: str = "1.1") -> tuple[bytes, Blob]:
    """The manifest of an artifact of these parts, and the empty configuration that it names. Pure."""
    if version == "1.1":
        config = Blob("application/vnd.oci.empty.v1+json", b"{}", {})
    else:  # what registries of before 1.1 take for an artifact's kind
        config = Blob(kind.replace(".project", ".config.empty.v1+json"), b"{}", {})
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST}
    if version == "1.1":
        document["artifactType"] = kind
    document["config"] = config.descriptor()
    document["layers"] = [blob.descriptor() for blob in blobs]
    return json.dumps(document, separators=(",", ":")).encode(), config
