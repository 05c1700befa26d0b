"""SHA-256 of a text, by Python's own module: hashlib would load OpenSSL, which takes 3 ms of every `up`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _sha256() -> Any:
    for name in ("_sha256", "_sha2", "hashlib"):  # Python 3.11; from 3.12 on; whatever comes then
        try:
            return __import__(name).sha256
        except ImportError:
            continue
    raise AssertionError("unreachable: hashlib is always there")


sha256 = _sha256()


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return str(sha256(text.encode()).hexdigest())
