"""Debian's docker-registry for the time of a test: on loopback, plain, with TLS, passwords or tokens."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "somebody", "a secret: with colons"


def is_installed() -> bool:
    """Whether there is one."""
    return shutil.which("docker-registry") is not None


@dataclass(frozen=True)
class Running:
    """Where it listens; `folder` has its certificate and its data."""

    port: int
    folder: Path

    @property
    def host(self) -> str:
        """As in an image's name."""
        return f"127.0.0.1:{self.port}"


def free_port() -> int:
    """One that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificate(folder: Path) -> None:
    """A key and a certificate for 127.0.0.1, its own CA."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt"), "-days", "2",
         "-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip


def htpasswd(folder: Path) -> None:
    """The one user's line; apache's htpasswd writes bcrypt, as the registry wants it."""
    done = subprocess.run(
        ["htpasswd", "-nbB", USER, PASSWORD], check=True, capture_output=True, text=True
    )
    (folder / "htpasswd").write_text(done.stdout)


@contextmanager
def running(
    folder: Path, *, tls: bool = False, auth: dict[str, Any] | None = None
) -> Iterator[Running]:
    """Start one; it has ended when the block has."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    http_part: dict[str, Any] = {"addr": f"127.0.0.1:{port}", "secret": "x"}
    if tls:
        make_certificate(folder)
        http_part["tls"] = {
            "certificate": str(folder / "tls.crt"),
            "key": str(folder / "tls.key"),
        }
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": http_part,
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 20
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "docker-registry does not listen"
            time.sleep(0.02)  # another program's start has no event to wait for
        yield Running(port, folder)
    finally:
        process.terminate()
        process.wait()


class TokenServer(http.server.ThreadingHTTPServer):
    """Gives tokens as the registry's `token` authentication wants them, to the one user."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), TokenHandler)
        self.folder = folder
        self.asked: list[dict[str, list[str]]] = []
        make_key(folder)


def make_key(folder: Path) -> None:
    """The key that tokens are signed with, and the certificate that the registry trusts."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens",
         "-keyout", str(folder / "token.key"), "-out", str(folder / "token.crt")],
        check=True, capture_output=True,
    )  # fmt: skip


def encoded(raw: bytes) -> str:
    """base64url without padding, as in a JWT."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_id(folder: Path) -> str:
    """libtrust's fingerprint of the public key: twelve groups of base32."""
    public = subprocess.run(
        ["openssl", "rsa", "-in", str(folder / "token.key"), "-pubout", "-outform", "DER"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    text = base64.b32encode(hashlib.sha256(public).digest()[:30]).decode()
    return ":".join(text[at : at + 4] for at in range(0, len(text), 4))


class TokenHandler(http.server.BaseHTTPRequestHandler):
    """GET with basic authentication, POST with a refresh token."""

    server: TokenServer

    def log_message(self, *_args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """A token for whoever knows the password; for pulls of `public/` for everybody."""
        query = parse_qs(urlparse(self.path).query)
        self.server.asked.append(query)
        told = self.headers.get("Authorization", "")
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if told and told != f"Basic {expected}":
            self._send(401, {"errors": [{"code": "UNAUTHORIZED", "message": "bad credentials"}]})
            return
        self._give(query, trusted=bool(told), refresh="offline_token" in query)

    def do_POST(self) -> None:
        """A token for a refresh token."""
        length = int(self.headers.get("Content-Length", 0))
        query = parse_qs(self.rfile.read(length).decode())
        self.server.asked.append(query)
        self._give(query, trusted=query.get("refresh_token") == ["keep-me"], refresh=False)

    def _give(self, query: dict[str, list[str]], *, trusted: bool, refresh: bool) -> None:
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":", 2)
            allowed = (
                actions.split(",") if trusted else ["pull"] if name.startswith("public/") else []
            )
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "kid": key_id(self.server.folder)}
        body = {
            "iss": "tests", "sub": USER if trusted else "", "aud": query.get("service", [""])[0],
            "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access,
        }  # fmt: skip
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, body))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.server.folder / "token.key")],
            input=signed.encode(), check=True, capture_output=True,
        ).stdout  # fmt: skip
        token = f"{signed}.{encoded(signature)}"
        more = {"refresh_token": "keep-me"} if refresh and trusted else {}
        self._send(200, {"token": token, "expires_in": 300, **more})

    def _send(self, code: int, document: Any) -> None:
        raw = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def running_tokens(folder: Path) -> Iterator[tuple[TokenServer, dict[str, Any]]]:
    """A token server, and the registry's configuration for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with TokenServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            realm = f"http://127.0.0.1:{server.server_address[1]}/token"
            bundle = str(folder / "token.crt")
            token = {"realm": realm, "service": "reg", "issuer": "tests", "rootcertbundle": bundle}
            yield server, {"token": token}
        finally:
            server.shutdown()
            thread.join()
