"""The order of a mapping's keys in the YAML that the reference writes. Pure."""

from __future__ import annotations

import re
from functools import cmp_to_key


@cmp_to_key
def yaml_key(one: str, other: str) -> int:
    """Where a key of a mapping stands: numbers in it by their value, letters after what is no letter.

    Source: the order that the reference's YAML writer has, which is not that of its JSON writer.
    """
    digits = False
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a == b:
            digits = a.isdigit()
            continue
        if a.isalpha() or b.isalpha():
            if a.isalpha() and b.isalpha():
                return -1 if a < b else 1
            return -1 if a.isalpha() is digits else 1
        first, second = _number_at(one, index, other), _number_at(other, index, one)
        return -1 if (*first, a) < (*second, b) else 1
    return len(one) - len(other)


def _number_at(text: str, index: int, other: str) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = 0
    if "0" in {text[index], other[index]}:
        before = re.search("[0-9]*$", text[:index])
        value = int(bool(before and before[0].strip("0")))
    end = index
    while end < len(text) and text[end].isdigit():
        value = value * 10 + int(text[end])
        end += 1
    return value, end
