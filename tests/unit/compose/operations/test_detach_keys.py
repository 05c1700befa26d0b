"""Leaving a container's terminal by keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.errors import UsageError
from compose.operations.detach_keys import DetachKeys, parse_keys


def test_words_for_keys() -> None:
    assert parse_keys("ctrl-p,ctrl-q") == b"\x10\x11"
    assert parse_keys("a,ctrl-@,ctrl-[") == b"a\x00\x1b"
    for text in ("ctrl-", "ctrl-1", "xy", "a,,b"):
        with pytest.raises(UsageError, match="invalid detach keys"):
            parse_keys(text)


def test_keys_that_only_begin_like_the_sequence_are_sent_on() -> None:
    keys = DetachKeys(b"\x10\x11")
    assert keys.feed(b"a\x10") == b"a"
    assert keys.feed(b"b") == b"\x10b"
    assert keys.feed(b"\x10\x10") == b"\x10"
    assert keys.feed(b"\x11c") == b""
    assert keys.detached


@given(st.lists(st.binary(max_size=5)))
def test_nothing_is_lost_without_the_sequence(pieces: list[bytes]) -> None:
    keys = DetachKeys(b"\xf0\xf1\xf2")
    typed = [piece.replace(b"\xf2", b"") for piece in pieces]
    sent = b"".join(keys.feed(piece) for piece in [*typed, b"end"])
    assert sent == b"".join([*typed, b"end"])
    assert not keys.detached
