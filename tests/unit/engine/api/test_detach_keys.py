"""Detach keys: what is typed passes whole, but for the sequence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.detach_keys import DetachKeys, parse_keys
from engine.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("text", "typed"),
    [("", b"\x10\x11"), ("ctrl-a,q", b"\x01q"), ("ctrl-@", b"\0"), ("ctrl-\\,ctrl-_", b"\x1c\x1f")],
)
def test_keys_are_bytes(text: str, typed: bytes) -> None:
    assert parse_keys(text) == typed


@pytest.mark.parametrize("text", ["ab", "ctrl-", "ctrl-ab", "é", ",", "ctrl-1"])
def test_what_nobody_can_type_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="Invalid escape keys"):
        parse_keys(text)


@given(st.lists(st.binary(max_size=6).map(lambda b: bytes(byte % 4 for byte in b))))
def test_any_cut_means_the_same(pieces: list[bytes]) -> None:
    sequence = b"\1\2\1\3"
    whole = b"".join(pieces)
    keys = DetachKeys(sequence)
    passed, left = b"", False
    for piece in pieces:
        some, left = keys.feed(piece)
        passed += some
        if left:
            break
    assert left == (sequence in whole)
    if left:
        assert passed == whole.partition(sequence)[0]
    else:
        assert whole.startswith(passed)
        assert sequence.startswith(whole[len(passed) :])
