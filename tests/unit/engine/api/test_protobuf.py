"""Protocol buffers' wire format."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.buildkit.protobuf import Message, WireError, encode, mapping, repeated, timestamp

values = st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(min_size=1, max_size=40))


@given(st.dictionaries(st.integers(1, 2000), values, max_size=8))
def test_what_is_encoded_is_decoded(fields: dict[int, int | bytes]) -> None:
    found = Message(encode(*fields.items()))
    for number, value in fields.items():
        got = found.number(number) if isinstance(value, int) else found.data(number)
        assert got == value


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_maps(entries: dict[str, str]) -> None:
    assert Message(mapping(3, entries)).mapping(3) == entries


def test_known_bytes() -> None:
    assert encode((1, 150)) == b"\x08\x96\x01"  # the documentation's own example
    assert encode((2, "testing")) == b"\x12\x07testing"
    assert encode((1, 0), (2, "")) == b""
    assert Message(repeated(1, [b"", b"a"])).all(1) == [b"", b"a"]
    assert Message(timestamp(1_500_000_000_000_000_001)).number(2) == 1


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(raw: bytes) -> None:
    with contextlib.suppress(WireError):
        Message(raw)


def test_a_field_of_another_kind_is_refused() -> None:
    with pytest.raises(WireError):
        Message(encode((1, 5))).data(1)
    with pytest.raises(WireError):
        Message(encode((1, b"x"))).number(1)
