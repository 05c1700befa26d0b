"""A log read back: all, the last n, across rotations, and times."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.log_entries import parse
from engine.containers.logs import last_lines, parse_time
from engine.errors import InvalidRequestError


def line(number: int) -> bytes:
    return json.dumps({"log": f"{number}\n", "stream": "stdout", "time": f"t{number:06}"}).encode()


def texts(lines: list[bytes]) -> list[str]:
    return [parse(one).text.decode().strip() for one in lines]


@given(count=st.integers(0, 60), tail=st.integers(0, 70), torn=st.booleans())
def test_the_last_n(
    tmp_path_factory: pytest.TempPathFactory, count: int, tail: int, torn: bool
) -> None:
    path = tmp_path_factory.mktemp("log") / "x.log"
    body = b"".join(line(n) + b"\n" for n in range(count))
    path.write_bytes(body + (b'{"log":"to' if torn else b""))
    stream, lines = last_lines(str(path), tail)
    assert stream is not None
    assert texts(lines) == [str(n) for n in range(count)][max(count - tail, 0) :]
    assert stream.tell() == len(body)
    stream.close()


def test_the_last_n_reach_into_rotated_files(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.with_name("x.log.2").write_bytes(line(0) + b"\n" + line(1) + b"\n")
    path.with_name("x.log.1").write_bytes(line(2) + b"\n")
    path.write_bytes(line(3) + b"\n")
    stream, lines = last_lines(str(path), 3)
    assert texts(lines) == ["1", "2", "3"]
    assert stream
    stream.close()


def test_a_torn_entry_is_shown_as_it_is() -> None:
    assert parse(b'{"log":"x').text == b'{"log":"x\n'


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", None),
        ("0", None),
        ("1700000000.5", 1_700_000_000_500_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13:20.000000007Z", 1_700_000_000_000_000_007),
        ("10m", 400_000_000_000),
    ],
)
def test_times(text: str, moment: int | None) -> None:
    assert parse_time(text, 1_000_000_000_000) == moment


def test_a_time_that_is_none() -> None:
    with pytest.raises(InvalidRequestError, match="invalid time"):
        parse_time("yesterday", 0)
