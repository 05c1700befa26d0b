"""The files that flags name: read whole, with one clear line for what cannot be."""

from __future__ import annotations

from pathlib import Path

from compose.errors import UsageError

#: More than any env, label or profile file has.
LIMIT = 16 << 20


def read_text(path: str) -> str:
    """A file's text. Raises UsageError."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            text = file.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(f"open {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: it is no text in UTF-8") from error
    if len(text) > LIMIT:
        raise UsageError(f"{path}: larger than {LIMIT >> 20} MiB: is it the right file?")
    return text
