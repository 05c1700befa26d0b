"""A client's folder out of packets; a hostile one gets nowhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine.api.buildkit.filesync import DATA, DIR, ERR, PIPE, STAT, SYMLINK, TreeWriter
from engine.api.buildkit.options import read_options
from engine.api.buildkit.protobuf import encode
from engine.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

END = encode((1, STAT))
pytestmark = pytest.mark.skipif(os.name != "posix", reason="openat2 is Linux's")


def entry(path: str, mode: int, link: str = "", mtime: int = 10**18) -> bytes:
    return encode((1, STAT), (2, encode((1, path), (2, mode), (6, mtime), (7, link))))


def data(number: int, content: bytes) -> bytes:
    return encode((1, DATA), (3, number), (4, content))


@pytest.fixture
def writer(tmp_path: Path):
    folder = tmp_path / "context"
    folder.mkdir()
    found = TreeWriter(folder)
    yield found
    found.close()


def test_a_tree(tmp_path: Path, writer: TreeWriter) -> None:
    wanted = writer.take([
        entry("d", DIR | 0o750), entry("d/a", 0o640), entry("d/l", SYMLINK | 0o777, "a"), entry("e", 0o600),
        entry("h", 0o640, "d/a"), entry("p", PIPE | 0o600), END,
    ])  # fmt: skip
    assert wanted == [1, 3]
    assert not writer.done
    writer.take([data(1, b"on"), data(3, b""), data(1, b"e"), data(1, b"")])
    assert writer.done
    root = tmp_path / "context"
    assert (root / "d/a").read_text() == "one"
    assert (root / "d/a").stat().st_mode & 0o777 == 0o640
    assert (root / "d").stat().st_mode & 0o777 == 0o750
    assert (root / "d/a").stat().st_mtime_ns == 10**18
    assert (root / "e").read_bytes() == b""
    assert (root / "d/l").readlink().name == "a"
    assert (root / "h").samefile(root / "d/a")
    assert (root / "p").is_fifo()


@pytest.mark.parametrize(
    "packets",
    [
        [entry("out", SYMLINK | 0o777, "/"), entry("out/x", 0o644)],
        [entry("out", SYMLINK | 0o777, ".."), entry("out/x", 0o644)],
        [entry("x", 0o644, "../../etc/passwd")],
        [entry("no/parent", 0o644)],
        [entry("a", 0o644), entry("a", 0o644)],
        [data(7, b"unasked")],
        [encode((1, ERR), (4, "the client gives up"))],
    ],
)
def test_hostile_packets_are_refused(
    tmp_path: Path, writer: TreeWriter, packets: list[bytes]
) -> None:
    with pytest.raises(EngineError):
        writer.take(packets)
    assert not (tmp_path / "x").exists()


def test_dots_stay_inside(tmp_path: Path, writer: TreeWriter) -> None:
    writer.take([entry("../../x", 0o644)])
    assert (tmp_path / "context/x").exists()


def test_options() -> None:
    request, sources = read_options({
        "filename": "D", "target": "t", "build-arg:A": "1", "label:l": "2", "no-cache": "one,two", "image-resolve-mode": "pull",
        "add-hosts": "h=1.2.3.4,i=::1", "ulimit": "nofile=5,nproc=1:2", "shm-size": "64", "context:lib": "local:lib0",
        "context:img": "docker-image://i", "force-network-mode": "host",
    })  # fmt: skip
    assert (request.dockerfile, request.target, request.network_mode, request.pull) == (
        "D",
        "t",
        "host",
        True,
    )
    assert (dict(request.build_args), dict(request.labels)) == ({"A": "1"}, {"l": "2"})
    assert (request.no_cache, request.no_cache_filter) == (False, ("one", "two"))
    assert request.extra_hosts == ("h:1.2.3.4", "i:::1")
    assert request.limits.ulimits == (("nofile", 5, 5), ("nproc", 1, 2))
    assert request.contexts == {"lib": "folder:lib", "img": "docker-image://i"}
    assert sources.contexts == {"lib": "lib0"}
    assert read_options({"no-cache": ""})[0].no_cache


@pytest.mark.parametrize(
    "options",
    [
        {"requestid": "frontend.outline"},
        {"context:x": "input:y"},
        {"ulimit": "a=b"},
        {"shm-size": "x"},
        {"source": "foreign/frontend"},
    ],
)
def test_options_that_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(EngineError):
        read_options(options)
