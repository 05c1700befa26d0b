"""K=V texts of flags and files -> mappings. Pure."""

from __future__ import annotations

from compose.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def pairs(texts: Iterable[str], flag: str, *, bare: bool = False) -> dict[str, str]:
    """{"K": "V"}; `bare` allows a K alone, which means "". Raises UsageError naming the flag."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not (equals or bare):
            raise UsageError(f'invalid {flag} "{text}": give KEY=VALUE')
        found[key] = value
    return found


def read_lines(text: str) -> list[str]:
    """The lines of an env or label file: no comments, no empty ones, no blanks before them."""
    lines = [line.lstrip() for line in text.removeprefix("\ufeff").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
