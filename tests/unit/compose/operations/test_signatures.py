"""cosign's signatures: what they are about, and whose they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from compose.errors import UsageError
from compose.operations.signatures import decoded, is_about, is_signed

DIGEST = "sha256:" + "1" * 64


def payload(digest: str) -> bytes:
    image = {"docker-manifest-digest": digest}
    return json.dumps(
        {"critical": {"image": image, "type": "cosign container image signature"}}
    ).encode()


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=given, check=True, capture_output=True
    ).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "other"):
        key = str(folder / name)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("ec", "-in", key, "-pubout", "-out", f"{key}.pub")
    return folder


def test_a_signature_is_good_for_its_payload_and_key_alone(keys: Path) -> None:
    raw = payload(DIGEST)
    signature = openssl("dgst", "-sha256", "-sign", str(keys / "mine"), given=raw)
    assert is_signed(raw, signature, keys / "mine.pub")
    assert not is_signed(raw + b" ", signature, keys / "mine.pub")
    assert not is_signed(raw, signature, keys / "other.pub")
    assert not is_signed(raw, b"", keys / "mine.pub")
    (keys / "none.pub").write_text("no key")
    with pytest.raises(UsageError, match="no public key"):
        is_signed(raw, signature, keys / "none.pub")


@pytest.mark.parametrize(
    ("raw", "about"),
    [
        (payload(DIGEST), True),
        (payload("sha256:" + "2" * 64), False),
        (b"{}", False),
        (b"no json", False),
        (b"[" * 100_000, False),
        (b'{"critical": []}', False),
    ],
)
def test_what_a_payload_is_about(raw: bytes, about: bool) -> None:
    assert is_about(raw, DIGEST) is about


def test_what_is_no_base64_is_nothing() -> None:
    assert (decoded("aGk="), decoded("!")) == (b"hi", b"")
