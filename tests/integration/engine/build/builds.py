"""Builds over the API as a test writes them down: files in, what was told and made out."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import socket
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.own_engine import OwnEngine

#: A file's content; or content and mode; or where a symlink leads ("-> target").
Files = dict[str, Any]


class Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket, however long its path is."""

    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=120)
        self._path = path

    def connect(self) -> None:
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        finally:
            os.close(folder)


@dataclass(frozen=True)
class Told:
    """What a build has told. `image` is "" where there is none."""

    messages: list[dict[str, Any]]

    @property
    def image(self) -> str:
        return next((m["aux"]["ID"] for m in self.messages if "ID" in m.get("aux", {})), "")

    @property
    def error(self) -> str:
        return next((m["error"] for m in self.messages if "error" in m), "")

    @property
    def text(self) -> str:
        return "".join(m.get("stream", "") for m in self.messages)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [m["aux"] for m in self.messages if m.get("id") == "pycompose.build"]

    @property
    def cached(self) -> list[str]:
        """The titles of the steps that came from the cache."""
        return self._titles(cached=True)

    @property
    def made(self) -> list[str]:
        """The titles of the steps that were carried out."""
        return self._titles(cached=False)

    def _titles(self, *, cached: bool) -> list[str]:
        titles = {
            e["step"]["number"]: e["step"]["title"] for e in self.events if e["event"] == "began"
        }
        ended = [
            e["number"] for e in self.events if e["event"] == "ended" and e["cached"] is cached
        ]
        return [
            titles[number]
            for number in ended
            if titles.get(number) and "FROM" not in titles[number]
        ]

    @property
    def output(self) -> str:
        """What RUNs have printed."""
        return "".join(e["text"] for e in self.events if e["event"] == "said" and e["stream"])

    @property
    def warnings(self) -> list[str]:
        return [e["rule"] or e["text"] for e in self.events if e["event"] == "warned"]


def tar_of(files: Files, *, mtime: int = 1_700_000_000) -> bytes:
    """A context."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, given in files.items():
            content, mode = given if isinstance(given, tuple) else (given, 0o644)
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime = mode, mtime
            if isinstance(content, str) and content.startswith("-> "):
                entry.type, entry.linkname = tarfile.SYMTYPE, content[3:]
                archive.addfile(entry)
            elif name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                raw = content.encode() if isinstance(content, str) else content
                entry.size = len(raw)
                archive.addfile(entry, io.BytesIO(raw))
    return out.getvalue()


class Site:
    """An engine that builds."""

    def __init__(self, engine: OwnEngine) -> None:
        self.engine = engine

    def connection(self) -> Connection:
        return Connection(self.engine.run_dir / "engine.sock")

    def call(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/x-tar"
    ) -> Any:
        """One call that must succeed; its JSON."""
        raw = self.raw(method, path, body, kind)
        lines = [json.loads(line) for line in raw.splitlines() if line.strip()]
        return lines[0] if len(lines) == 1 else lines

    def raw(
        self, method: str, path: str, body: bytes | None = None, kind: str = "application/x-tar"
    ) -> bytes:
        """One call that must succeed; its body."""
        connection = self.connection()
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            raw = answer.read()
            assert answer.status < 300, f"{method} {path}: {answer.status} {raw!r}"
            return raw
        finally:
            connection.close()

    def build(
        self,
        dockerfile: str,
        files: Files | None = None,
        *,
        context: bytes | None = None,
        inputs: Mapping[str, Any] | None = None,
        secrets: Mapping[str, bytes] | None = None,
        args: Mapping[str, str | None] | None = None,
        **query: Any,
    ) -> Told:
        """Build; told as events unless `progress` says otherwise."""
        if context is None:
            context = tar_of({"Dockerfile": dockerfile, **(files or {})})
        given = dict(inputs or {})
        if secrets:
            given["secrets"] = {k: base64.b64encode(v).decode() for k, v in secrets.items()}
        ahead = json.dumps(given).encode() if given else b""
        query = {"progress": "events", **query}
        if args is not None:
            query["buildargs"] = json.dumps(args)
        headers = {"Content-Type": "application/x-tar"}
        if ahead:
            headers["X-Pycompose-Inputs"] = str(len(ahead))
        connection = self.connection()
        try:
            path = f"/build?{urlencode({k: v for k, v in query.items() if v}, doseq=True)}"
            connection.request("POST", path, ahead + context, headers)
            answer = connection.getresponse()
            raw = answer.read()
        except http.client.IncompleteRead as error:
            raise AssertionError((self.engine.run_dir / "engine.log").read_text()) from error
        finally:
            connection.close()
        if answer.status != 200:
            message = json.loads(raw)["message"]
            return Told([{"error": message, "status": answer.status}])
        return Told([json.loads(line) for line in raw.splitlines() if line.strip()])

    def made(self, dockerfile: str, files: Files | None = None, **options: Any) -> Told:
        """A build that must succeed."""
        told = self.build(dockerfile, files, **options)
        assert told.image, told.error or told.messages
        return told

    def refused(self, dockerfile: str, files: Files | None = None, **options: Any) -> str:
        """The error of a build that must fail."""
        told = self.build(dockerfile, files, **options)
        assert told.error, told.messages
        assert not told.image
        return told.error

    def config(self, image: str) -> dict[str, Any]:
        """An image's config."""
        return self.call("GET", f"/images/{image}/json")["Config"]

    def history(self, image: str) -> list[str]:
        """What its history says, the oldest first."""
        return [one["CreatedBy"] for one in reversed(self.call("GET", f"/images/{image}/history"))]

    def files(self, image: str) -> dict[str, tarfile.TarInfo]:
        """What is in an image, by path."""
        return {entry.name.rstrip("/"): entry for entry in self._archive(image).getmembers()}

    def read(self, image: str, path: str) -> str:
        """A file's text in an image."""
        stream = self._archive(image).extractfile(path)
        assert stream is not None
        return stream.read().decode()

    def _archive(self, image: str) -> tarfile.TarFile:
        body = json.dumps({"Image": image, "Cmd": ["/x"]}).encode()
        connection = self.connection()
        try:
            connection.request(
                "POST", "/containers/create", body, {"Content-Type": "application/json"}
            )
            made = json.loads(connection.getresponse().read())
            connection.request("GET", f"/containers/{made['Id']}/export")
            raw = connection.getresponse().read()
            connection.request("DELETE", f"/containers/{made['Id']}?force=1")
            connection.getresponse().read()
        finally:
            connection.close()
        return tarfile.open(fileobj=io.BytesIO(raw))

    def prune(self, **filters: Iterable[str]) -> dict[str, Any]:
        """POST /build/prune."""
        given = json.dumps(
            {name.replace("_", "-"): list(values) for name, values in filters.items()}
        )
        return self.call("POST", f"/build/prune?all=1&filters={quote(given)}")
