"""A log's pieces: every reader gets every line once, whatever his pace, and what is kept is bounded."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from engine.containers.log_pieces import CHUNK, KEPT, LogFiles

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BOTH = frozenset({"stdout", "stderr"})


def line(text: str, stream: str = "stdout") -> bytes:
    return json.dumps({"log": f"{text}\n", "stream": stream, "time": "t"}).encode() + b"\n"


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 5)), st.tuples(st.just("read"), st.integers(0, 3))
        ),
        max_size=60,
    )
)  # fmt: skip
def test_readers_of_any_pace_get_every_line(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "x.log"
    path.write_bytes(b"")
    files = LogFiles()
    readers = [files.adopt(path.open("rb", buffering=0)) for _ in range(4)]
    places = [0] * 4
    got: list[list[str]] = [[] for _ in range(4)]
    written = 0

    def read(number: int) -> None:
        while piece := readers[number].piece(places[number]):
            places[number] = piece.end
            got[number] += [entry.text.decode().strip() for entry in piece.of(BOTH).entries]

    for what, number in steps:
        if what == "read":
            read(number)
            continue
        with path.open("ab") as stream:
            for _ in range(number):
                stream.write(line(str(written)))
                written += 1
            if number == 0:  # a line in two parts
                whole = line(str(written))
                stream.write(whole[:7])
                stream.flush()
                read(0)
                stream.write(whole[7:])
                written += 1
    for number in range(4):
        read(number)
    assert got == [[str(n) for n in range(written)]] * 4
    for file in readers:
        files.release(file)


def test_readers_share_a_descriptor_and_what_is_made_of_a_piece(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(line("a") + line("b", "stderr"))
    files = LogFiles()
    before = len(os.listdir("/proc/self/fd"))
    one, two = (files.adopt(path.open("rb", buffering=0)) for _ in range(2))
    assert one is two
    assert len(os.listdir("/proc/self/fd")) == before + 1
    first, second = one.piece(0), two.piece(0)
    assert first is second
    assert first is not None
    made = [first.of(BOTH).once("joined", lambda e: b"".join(x.text for x in e)) for _ in range(2)]
    assert made == [b"a\nb\n"] * 2
    assert made[0] is made[1]
    assert [e.text for e in first.of(frozenset({"stderr"})).entries] == [b"b\n"]
    files.release(one)
    files.release(two)
    assert len(os.listdir("/proc/self/fd")) == before


def test_few_pieces_are_kept_and_none_for_a_lone_reader(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    text = "x" * (CHUNK // 3)
    path.write_bytes(b"".join(line(f"{n}{text}") for n in range(30)))
    files = LogFiles()
    alone = files.adopt(path.open("rb", buffering=0))
    first = alone.piece(0)
    assert alone.piece(0) is not first
    files.adopt(path.open("rb", buffering=0))
    places = [0]
    while piece := alone.piece(places[-1]):
        places.append(piece.end)
    assert len(places) > KEPT + 2
    kept = [place for place in places[:-1] if alone.piece(place) is alone.piece(place)]
    assert kept == places[:-1]  # asked for again, each is kept for the next
    files.release(alone)
    files.release(alone)


def test_a_line_longer_than_a_chunk_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(line("y" * (3 * CHUNK)) + line("z"))
    files = LogFiles()
    file = files.adopt(path.open("rb", buffering=0))
    piece = file.piece(0)
    assert piece
    assert len(piece.of(BOTH).entries[0].text) == 3 * CHUNK + 1
    files.release(file)
