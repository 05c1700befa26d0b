"""The lines of a Dockerfile around the one that an error or a warning is about. Pure."""

from __future__ import annotations

import re

from engine.build.dockerfile import parse
from engine.errors import EngineError

#: Number, text, and whether the line is at fault.
Excerpt = tuple[tuple[int, str, bool], ...]
#: Lines shown before and after.
AROUND = 2


def excerpt_at(first: int, text: str) -> Excerpt:
    """The instruction that begins at a line, and what stands around it."""
    last = first
    try:
        instructions = parse(text).instructions
    except EngineError:
        instructions = ()
    for instruction in instructions:
        if instruction.line == first:
            last = instruction.last
    lines = text.splitlines()
    shown = range(max(first - AROUND, 1), min(last + AROUND, len(lines)) + 1)
    return tuple((number, lines[number - 1], first <= number <= last) for number in shown)


def find_excerpt(error: EngineError, text: str) -> tuple[str, Excerpt]:
    """The place that an error names ("Dockerfile:3"), and the lines there; ("", ()) for none."""
    found = re.search(r"Dockerfile:(\d+)", str(error))
    if not found:
        return "", ()
    return f"Dockerfile:{found[1]}", excerpt_at(int(found[1]), text)
