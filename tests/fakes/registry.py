"""A registry in memory that does wrong what a test tells it to: cuts, lies, stalls, refuses.

It speaks as much of the OCI distribution-spec as a pull needs. A fault is used up by the requests it
meets: `faults[path] = [fault, ...]` is one for each of the next requests for that path.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h11
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Status:
    """Answer this instead."""

    code: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """Hang up after so many bytes of the body."""

    after: int


@dataclass(frozen=True)
class Swap:
    """Send other bytes."""

    body: bytes


@dataclass(frozen=True)
class Hang:
    """Say nothing for ever, after so many bytes of the body (-1: not even a head)."""

    after: int = -1


def digest(raw: bytes) -> str:
    """ "sha256:..."."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def tar(files: dict[str, bytes]) -> bytes:
    """A tar with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


class Registry:
    """What it has, what it is asked for, what it does wrong."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}  # "repo:tag" or "repo@digest"
        self.faults: dict[str, list[Any]] = defaultdict(list)
        self.asked: list[tuple[str, str, str]] = []  # method, path, Range
        self.ranges = True
        self.port = 0
        self.stalled = trio.Event()  # set when a Hang has begun

    @property
    def host(self) -> str:
        """Its address as in an image's name."""
        return f"127.0.0.1:{self.port}"

    def add_blob(self, raw: bytes) -> str:
        """Have a blob; its digest."""
        self.blobs[digest(raw)] = raw
        return digest(raw)

    def add_manifest(self, repository: str, tag: str, kind: str, document: Any) -> str:
        """Have a manifest under a tag and its digest."""
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        for name in (f"{repository}:{tag}", f"{repository}@{digest(raw)}"):
            self.manifests[name] = (kind, raw)
        return digest(raw)

    def add_image(
        self, repository: str, tag: str, layers: list[bytes], **config: Any
    ) -> tuple[str, list[str]]:
        """An image of these tars; (the manifest's digest, the layers' digests)."""
        packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
        document = {
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]}, **config,
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        }  # fmt: skip
        raw = json.dumps(document).encode()
        digests = [self.add_blob(one) for one in packed]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(raw), "digest": self.add_blob(raw)},
            "layers": [
                {"mediaType": LAYER, "size": len(one), "digest": digest(one)} for one in packed
            ],
        }
        return self.add_manifest(repository, tag, MANIFEST, manifest), digests

    def blob_path(self, repository: str, name: str) -> str:
        """Where a blob is asked for."""
        return f"/v2/{repository}/blobs/{name}"

    def requests(self, part: str, method: str = "GET") -> list[tuple[str, str, str]]:
        """What was asked for whose path has this in it."""
        return [one for one in self.asked if part in one[1] and one[0] == method]

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection."""
        connection = h11.Connection(h11.SERVER)
        async with stream:
            try:
                while True:
                    event = connection.next_event()
                    if event is h11.NEED_DATA:
                        connection.receive_data(await stream.receive_some(65536))
                    elif isinstance(event, h11.Request):
                        await self._answer(connection, stream, event)
                        if connection.our_state is not h11.DONE:
                            return
                    elif isinstance(event, h11.EndOfMessage):
                        continue
                    elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                        if event is h11.PAUSED and connection.our_state is h11.DONE:
                            connection.start_next_cycle()
                            continue
                        return
            except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
                return

    async def _answer(
        self, connection: h11.Connection, stream: trio.SocketStream, request: h11.Request
    ) -> None:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(65536))
            elif isinstance(event, h11.EndOfMessage):
                break
        headers = {key.decode(): value.decode() for key, value in request.headers}
        path = request.target.decode().partition("?")[0]
        method = request.method.decode()
        self.asked.append((method, path, headers.get("range", "")))
        waiting = self.faults.get(path)
        fault = waiting.pop(0) if waiting and method == "GET" else None
        code, more, body = self._content(path, headers)
        if isinstance(fault, Status):
            code, more, body = fault.code, fault.headers, b'{"errors":[{"message":"told to"}]}'
        if isinstance(fault, Swap):
            body = fault.body
        if isinstance(fault, Hang) and fault.after < 0:
            self.stalled.set()
            await trio.sleep_forever()
        head = [("Content-Length", str(len(body))), *more.items()]
        await stream.send_all(connection.send(h11.Response(status_code=code, headers=head)))
        if method != "HEAD":
            if isinstance(fault, Cut | Hang):
                await stream.send_all(connection.send(h11.Data(data=body[: fault.after])))
                if isinstance(fault, Hang):
                    self.stalled.set()
                    await trio.sleep_forever()
                return
            await stream.send_all(connection.send(h11.Data(data=body)))
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")

    def _content(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if path == "/v2/":
            return 200, {}, b"{}"
        repository, _, rest = path.removeprefix("/v2/").partition("/manifests/")
        if rest:
            sign = "@" if rest.startswith("sha256:") else ":"
            kind, raw = self.manifests.get(f"{repository}{sign}{rest}", ("", b""))
            if raw:
                return 200, {"Content-Type": kind, "Docker-Content-Digest": digest(raw)}, raw
        raw = self.blobs.get(path.rpartition("/blobs/")[2], b"")
        if not raw:
            return 404, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
        wanted = headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if wanted and self.ranges:
            at = int(wanted)
            told = {"Content-Range": f"bytes {at}-{len(raw) - 1}/{len(raw)}"}
            return 206, told, raw[at:]
        return 200, {}, raw


@asynccontextmanager
async def running_registry() -> AsyncIterator[Registry]:
    """One on a free port of loopback."""
    registry = Registry()
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        registry.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, registry.serve, listeners)
        yield registry
        nursery.cancel_scope.cancel()
