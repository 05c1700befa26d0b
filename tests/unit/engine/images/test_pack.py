"""Layers as tars: what is written by hand is what tarfile writes, to the byte, so digests stay what they were."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.images import pack
from engine.images.pack import measure, pack_layer

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=110)
KINDS = st.sampled_from((tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE))


@given(
    name=NAMES, link=NAMES, kind=KINDS, mode=st.integers(0, 0o7777), uid=st.integers(0, 1 << 32),
    gid=st.integers(0, 1 << 32), size=st.integers(0, 1 << 40), mtime=st.integers(-5, 1 << 35),
)  # fmt: skip
@example(name="/", link="0", kind=tarfile.DIRTYPE, mode=0, uid=0, gid=0, size=0, mtime=0)
def test_a_plain_header_is_tarfile_s(
    name: str, link: str, kind: bytes, mode: int, uid: int, gid: int, size: int, mtime: int
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.uid, entry.gid, entry.mtime = kind, mode, uid, gid, mtime
    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        entry.linkname = link
    if kind == tarfile.REGTYPE:
        entry.size = size
    made = pack._plain(entry)
    whole = entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    assert made is None or made == whole
    if len(whole) == tarfile.BLOCKSIZE and name.isascii() and link.isascii() and len(name) < 100:
        assert made is not None or mtime < 0  # a header that one block holds is not left to tarfile


def test_the_whole_is_tarfile_s_too(tmp_path: Path) -> None:
    folder = tmp_path / "layer"
    (folder / "deep" / ("long" * 40)).mkdir(parents=True)
    (folder / "a").write_bytes(b"1" * 700_000)
    (folder / "b").write_bytes(b"")
    os.link(folder / "a", folder / "deep" / "c")
    (folder / "d").symlink_to("/etc/passwd")
    (folder / "ümlaut").write_text("x")
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (5, 5.75), follow_symlinks=False)
    out = io.BytesIO()
    pack_layer(str(folder), out)
    again = io.BytesIO()
    with tarfile.open(fileobj=again, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a", "b", "d", "deep", "deep/c", f"deep/{'long' * 40}", "ümlaut"):
            entry = archive.gettarinfo(str(folder / name), name)
            entry.mtime, entry.uname, entry.gname = int(entry.mtime), "", ""
            with (folder / name).open("rb") if entry.isreg() else io.BytesIO() as content:
                archive.addfile(entry, content)
    assert out.getvalue() == again.getvalue()
    assert measure(str(folder))[1] == len(out.getvalue())


def test_a_file_that_has_less_than_it_says_is_no_layer() -> None:
    with pytest.raises(OSError, match="became shorter"):
        measure("/sys/class/net/lo/statistics")  # sysfs says a page of each
