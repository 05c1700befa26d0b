"""A Dockerfile line into its parts: flags, words, JSON arrays. Pure; quotes stay for the expansion.

Source: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import json
import re

_FLAG = re.compile(r"--([A-Za-z][A-Za-z0-9-]*)(?:=(.*))?", re.DOTALL)


def split_raw(text: str, escape: str = "\\") -> list[str]:
    """Words at unquoted, unescaped white space; quotes and escapes are kept as they are written."""
    words: list[str] = []
    word, quote, position = "", "", 0
    while position < len(text):
        char = text[position]
        if not quote and char.isspace():
            if word:
                words.append(word)
            word = ""
        elif char == escape and quote != "'" and position + 1 < len(text):
            word += text[position : position + 2]
            position += 1
        else:
            if quote == char:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            word += char
        position += 1
    return [*words, word] if word else words


def take_flags(text: str, escape: str = "\\") -> tuple[tuple[tuple[str, str], ...], str]:
    """The leading `--name[=value]` words and what follows; a flag without value has ""."""
    flags: list[tuple[str, str]] = []
    rest = text.lstrip()
    while rest.startswith("--"):
        word = split_raw(rest, escape)[0]
        if word == "--":
            return tuple(flags), rest[2:].lstrip()
        found = _FLAG.fullmatch(word)
        if not found:
            break
        flags.append((found[1].lower(), found[2] or ""))
        rest = rest[rest.index(word) + len(word) :].lstrip()
    return tuple(flags), rest


def json_words(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array, None if the text is none. Raises ValueError for other contents."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None  # a shell command may well begin with "["
    if not all(isinstance(item, str) for item in found):
        raise ValueError('only strings may stand in a JSON array, as in ["a", "1"]')
    return tuple(found)


def assignments(text: str, escape: str = "\\", *, legacy: bool) -> tuple[str, ...]:
    """`name=value ...` as words; with `legacy` also the old form `name the whole rest`.

    Raises ValueError where "=" is missing.
    """
    words = split_raw(text, escape)
    if not words:
        raise ValueError("a name is missing: write name=value")
    if "=" not in words[0] and legacy:
        name, *rest = text.strip().split(None, 1)
        if not rest:
            raise ValueError(f"{name} has no value: write {name}=value")
        return (f"{name}={rest[0]}",)
    for word in words:
        name, equals, _ = word.partition("=")
        if not equals:
            raise ValueError(f'"=" is missing in {word}: write name=value, values in quotes')
        if not name:
            raise ValueError(f"a name is missing before {word}")
    return tuple(words)
