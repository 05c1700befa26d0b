"""A log's bytes as text of whole lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from compose.model import labels
from compose.operations.log_source import LogText, short_name
from networking.wire.stdstream import encode_frame


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from([b"a", b"b\n", b"c\r\n", b"d\ne", b"\xc3\xa4\n"])), max_size=8),
    st.integers(1, 20),
)  # fmt: skip
def test_any_pieces_give_the_same_lines(frames: list[tuple[int, bytes]], size: int) -> None:
    data = b"".join(encode_frame(*frame) for frame in frames)
    text = LogText(tty=False)
    found = "".join(text.feed(data[at : at + size]) for at in range(0, len(data), size))
    found += text.flush()
    expected: list[str] = []
    for number in (1, 2):
        whole = b"".join(payload for stream, payload in frames if stream == number)
        expected += whole.replace(b"\r\n", b"\n").decode().splitlines()
    assert sorted(found.splitlines()) == sorted(expected)
    assert found.endswith("\n") or not found


def test_a_terminals_log_has_no_frames() -> None:
    text = LogText(tty=True)
    assert text.feed(b"a\r\nb") == "a\n"
    assert text.flush() == "b\n"


def test_the_usual_name_is_told_without_the_project() -> None:
    own = {labels.PROJECT: "x", labels.SERVICE: "web", labels.NUMBER: "1"}
    assert short_name("x-web-1", own) == "web-1"
    assert short_name("x_web_1", own) == "web_1"  # of --compatibility
    assert short_name("x_web-1", own) == "x_web-1"
    assert short_name("named", own) == "named"
