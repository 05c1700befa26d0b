"""`image verify`: cosign's signatures of an image, checked against a public key.

The engine fetches them from the registry; we check that the payload is about the image's digest and,
with openssl, that the key's owner signed the payload. Source: cosign's signature specification.
"""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client import image_calls
from compose.engine_client.payloads.references import registry_of
from compose.errors import ComposeError, EngineRefusedError, UsageError
from compose.operations.credentials import credentials, encode, read_config
from compose.operations.objects import ask

if TYPE_CHECKING:
    from compose.operations.session import Session


def verify(session: Session, name: str, key: str) -> str:
    """The digest that the key's owner has signed. Raises ComposeError if there is no such signature."""
    path = Path(key)
    if not path.is_file():
        raise UsageError(f"open {key}: no such file: give a public key in PEM")
    known = credentials(read_config(session.environment), registry_of(name))
    try:
        found = ask(session, image_calls.signatures(name, encode(known) if known else ""))
    except EngineRefusedError as error:
        if error.status == 404 and "page not found" in str(error):
            raise ComposeError("image verify needs pycompose's own engine") from error
        raise
    digest = str(found["Digest"])
    if not found["Signatures"]:
        raise ComposeError(f"{name} is not signed: no signature of {digest} is in its registry")
    about = [one for one in found["Signatures"] if is_about(decoded(one["Payload"]), digest)]
    if not about:
        raise ComposeError(f"{name} is not signed: the signatures there are about other images")
    if not any(
        is_signed(decoded(one["Payload"]), decoded(one["Signature"]), path) for one in about
    ):
        raise ComposeError(f"{name} ({digest}) is not signed by {key}: its signatures are others'")
    return digest


def decoded(text: str) -> bytes:
    """base64; b"" for what is none. Pure."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def is_about(payload: bytes, digest: str) -> bool:
    """Whether a payload says that this digest is signed. Pure."""
    try:
        document: Any = json.loads(payload)
        return bool(document["critical"]["image"]["docker-manifest-digest"] == digest)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def is_signed(payload: bytes, signature: bytes, key: Path) -> bool:
    """Whether the key's owner signed the payload (SHA-256, ECDSA or RSA). Raises ComposeError."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "signature"
        place.write_bytes(signature)
        if openssl("dgst", "-sha256", "-verify", str(key), "-signature", str(place), given=payload):
            return True
    # What openssl says of a bad key differs from version to version; whether it reads one does not.
    if not openssl("pkey", "-pubin", "-in", str(key), "-noout"):
        raise UsageError(f"{key} is no public key in PEM")
    return False


def openssl(*arguments: str, given: bytes = b"") -> bool:
    """Whether openssl ended well. Raises ComposeError where there is none."""
    try:
        command = ["openssl", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise ComposeError("image verify needs openssl: apt-get install openssl") from error
    return done.returncode == 0
