"""Output written in any pieces is read back whole: lines, parts, bytes that are no text, rotations."""

from __future__ import annotations

import gzip
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers.log_entries import Entry, parse_all
from engine.processes.log_writer import PART, LogWriter
from engine.runtime.spec import LogTarget

pieces = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=30).map(str.encode),
        st.integers(1, 40_000).map(lambda n: b"x" * n),
        st.integers(1, 9000).map(lambda n: "ä€😀".encode() * n),
        st.sampled_from([b"\n", b"\x7f", b"\\n", b'"', b"\r\n"]),
    ),
    max_size=12,
)


def written(path: Path, chunks: list[bytes], stream: str = "stdout") -> list[Entry]:
    path.unlink(missing_ok=True)
    writer = LogWriter(LogTarget(path=str(path), max_size=-1))
    for chunk in chunks:
        writer.write(stream, chunk)
    writer.close()
    return parse_all(path.read_bytes().split(b"\n"))


@given(chunks=pieces)
def test_nothing_is_lost_and_parts_are_dockers(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    entries = written(tmp_path_factory.getbasetemp() / "log", chunks)
    whole = b"".join(chunks)
    assert b"".join(entry.text for entry in entries) == whole
    for entry in entries[:-1]:
        ended = entry.text.endswith(b"\n")
        assert ended or PART - 3 <= len(entry.text) <= PART
        assert b"\n" not in entry.text[:-1]
    if whole.isascii():
        lines = len(whole.removesuffix(b"\n").split(b"\n")) if whole else 0
        long = sum(max(len(line) - 1, 0) // PART for line in whole.split(b"\n"))
        assert len(entries) == lines + long


def test_a_line_of_a_megabyte(tmp_path: Path) -> None:
    line = b"0123456789abcdef" * 65536 + b"\n"
    entries = written(tmp_path / "log", [line[i : i + 65536] for i in range(0, len(line), 65536)])
    assert b"".join(entry.text for entry in entries) == line
    assert [len(entry.text) for entry in entries[:2]] == [PART, PART]


def test_the_format_is_dockers(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(LogTarget(path=str(path), attributes=(("tag", 'a"b'), ("k", "v"))))
    writer.write("stderr", b"one\ntwo\xff\n")
    writer.close()
    first, second = (json.loads(line) for line in path.read_bytes().splitlines())
    assert first["log"] == "one\n"
    assert first["stream"] == "stderr"
    assert first["attrs"] == {"tag": 'a"b', "k": "v"}
    assert len(first["time"]) == len("2026-11-25T07:27:37.123456789Z")
    assert second["log"] == "two\udcff\n"
    assert rb'"two\udcff\n"' in path.read_bytes()


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(LogTarget(path=str(path), max_size=2000, max_files=3))
    for number in range(200):
        writer.write("stdout", f"line {number:05}\n".encode())
    writer.close()
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["log", "log.1", "log.2"]
    entries = [
        entry
        for name in ("log.2", "log.1", "log")
        for entry in parse_all((tmp_path / name).read_bytes().split(b"\n"))
    ]
    numbers = [int(entry.text.split()[1]) for entry in entries]
    assert numbers == list(range(numbers[0], 200))
    assert len(numbers) > 40


def test_rotated_files_are_compressed_beside_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(LogTarget(path=str(path), max_size=2000, max_files=3, compress=True))
    for number in range(120):
        writer.write("stdout", f"line {number:05}\n".encode())
    writer.close()
    deadline = time.monotonic() + 10
    while sorted(p.name for p in tmp_path.iterdir()) != ["log", "log.1.gz", "log.2.gz"]:
        assert time.monotonic() < deadline, list(tmp_path.iterdir())
        os.sched_yield()
    with gzip.open(tmp_path / "log.1.gz") as stream:
        assert len(parse_all(stream.read().split(b"\n"))) > 10
    os.waitpid(-1, 0)


def test_a_full_disk_loses_what_it_must_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(LogTarget(path=str(path)))
    writer.write("stdout", b"before\n")
    real = writer._file._fd  # type: ignore[union-attr]  # a disk that fills up at once
    writer._file._fd = os.open("/dev/full", os.O_WRONLY)  # type: ignore[union-attr]
    with pytest.raises(OSError, match="No space|Invalid argument"):
        writer.write("stdout", b"lost\n")
    os.close(writer._file._fd)  # type: ignore[union-attr]
    writer._file._fd = real  # type: ignore[union-attr]
    writer.write("stdout", b"after\n")
    writer.close()
    assert [e.text for e in parse_all(path.read_bytes().split(b"\n"))] == [b"before\n", b"after\n"]
