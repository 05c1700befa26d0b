"""Layers onto a disk: what the tar says comes out, and nothing of it comes out of the root."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError, InvalidRequestError
from engine.images.compression import open_tar
from engine.images.pack import pack_layer
from engine.images.unpack import METADATA_LIMIT, unpack_layer

pytestmark = pytest.mark.root
OPAQUE = "trusted.overlay.opaque"


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **more: Any) -> tuple:
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, len(content)
    made.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in more.items():
        setattr(made, key, value)
    return made, content


def tar(*entries: tuple, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for made, content in entries:
            archive.addfile(made, io.BytesIO(content))
    return out.getvalue()


def unpack(raw: bytes, folder: Path, **more: Any) -> int:
    return unpack_layer(open_tar(io.BytesIO(raw)), folder, **more)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("mine")
    return made


def untouched(root: Path) -> bool:
    outside = root.parent / "outside"
    return sorted(p.name for p in root.parent.iterdir()) == ["outside", "root"] and (
        [p.name for p in outside.iterdir()] == ["secret"]
        and (outside / "secret").read_text() == "mine"
    )


def test_kinds_modes_owners_and_times(root: Path) -> None:
    unpack(
        tar(
            entry("d", tarfile.DIRTYPE, mode=0o1777, mtime=1000),
            entry("d/f", content=b"hello", mode=0o4755, uid=1, gid=2, mtime=1234),
            entry("d/g", mode=0o2644, gid=5),
            entry("l", tarfile.SYMTYPE, linkname="/etc/passwd", uid=3),
            entry("hard", tarfile.LNKTYPE, linkname="d/f"),
            entry("fifo", tarfile.FIFOTYPE),
            entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
            entry("disk", tarfile.BLKTYPE, devmajor=8, devminor=1),
        ),
        root,
    )
    status = (root / "d/f").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o4755, 1, 2)
    assert (status.st_mtime, status.st_nlink) == (1234, 2)
    assert (root / "hard").read_bytes() == b"hello"
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o1777
    assert (root / "d").stat().st_mtime == 1000
    assert stat.S_IMODE((root / "d/g").stat().st_mode) == 0o2644
    assert (os.readlink(root / "l"), (root / "l").lstat().st_uid) == ("/etc/passwd", 3)
    assert stat.S_ISFIFO((root / "fifo").lstat().st_mode)
    assert (root / "null").lstat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISBLK((root / "disk").lstat().st_mode)


def test_folders_without_an_entry_are_of_no_time_of_today(root: Path) -> None:
    unpack(
        tar(
            entry("a/b/c/f", content=b"1", mtime=1234),
            entry("a/b", tarfile.DIRTYPE, mtime=77),
            entry("a/b/g", content=b"2"),
            entry("s", tarfile.SYMTYPE, linkname="a/b"),
            entry("s/new/h", content=b"3"),
        ),
        root,
    )
    times = {name: (root / name).stat().st_mtime for name in ("a", "a/b", "a/b/c", "a/b/new")}
    assert times == {"a": 0, "a/b": 77, "a/b/c": 0, "a/b/new": 0}


def test_file_capabilities_survive_the_change_of_owner(root: Path) -> None:
    capability = struct.pack("<IIIII", 0x02000000, 1 << 10, 0, 0, 0)
    attributes = {"SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape")}
    unpack(tar(entry("ping", content=b"x", uid=7, pax_headers=attributes)), root)
    assert os.getxattr(root / "ping", "security.capability") == capability
    again = io.BytesIO()
    pack_layer(str(root), again)
    other = root.parent / "root2"
    other.mkdir()
    unpack(again.getvalue(), other)
    assert os.getxattr(other / "ping", "security.capability") == capability


def test_an_archive_cannot_set_overlays_own_attributes(root: Path) -> None:
    attributes = {"SCHILY.xattr.trusted.overlay.redirect": "/outside"}
    unpack(tar(entry("d", tarfile.DIRTYPE, pax_headers=attributes)), root)
    assert os.listxattr(root / "d") == []


def test_whiteouts_and_opaque_folders_become_overlays(root: Path) -> None:
    unpack(
        tar(
            entry("d", tarfile.DIRTYPE),
            entry("d/.wh.gone"),
            entry("e", tarfile.DIRTYPE),
            entry("e/new", content=b"1"),
            entry("e/.wh..wh..opq"),
            entry(".wh..wh.plnk"),
        ),
        root,
    )
    gone = (root / "d/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert os.getxattr(root / "e", OPAQUE) == b"y"
    assert (root / "e/new").read_bytes() == b"1"  # opaque hides what lies below alone
    assert sorted(p.name for p in root.iterdir()) == ["d", "e"]
    packed = io.BytesIO()
    pack_layer(str(root), packed)
    with tarfile.open(fileobj=io.BytesIO(packed.getvalue())) as archive:
        names = archive.getnames()
    assert names == ["d", "d/.wh.gone", "e", "e/.wh..wh..opq", "e/new"]


def test_a_file_that_becomes_a_folder_and_back(root: Path) -> None:
    unpack(
        tar(
            entry("a", content=b"1"), entry("a", tarfile.DIRTYPE), entry("a/b", content=b"2"),
            entry("c", tarfile.DIRTYPE), entry("c/d", content=b"3"), entry("c", content=b"4"),
        ),
        root,
    )  # fmt: skip
    assert (root / "a/b").read_bytes() == b"2"
    assert (root / "c").read_bytes() == b"4"


@pytest.mark.parametrize("name", ["../outside/secret", "/../../outside/secret", "a/../../x", "//x"])
def test_dots_and_slashes_lead_nowhere(root: Path, name: str) -> None:
    unpack(tar(entry(name, content=b"evil")), root)
    assert untouched(root)


@pytest.mark.parametrize("target", ["../outside", "/outside", "../../../../../.."])
def test_a_symlink_is_no_way_out(root: Path, target: str) -> None:
    real = str(root.parent / "outside") if target == "/outside" else target
    evil = tar(entry("way", tarfile.SYMTYPE, linkname=real), entry("way/secret", content=b"evil"))
    try:
        unpack(evil, root)
    except EngineError:
        pass  # a link that leads nowhere inside may also be refused
    assert untouched(root)


def test_a_hard_link_is_no_way_out(root: Path) -> None:
    for name in ("../outside/secret", str(root.parent / "outside/secret")):
        with pytest.raises(InvalidRequestError):
            unpack(tar(entry("own", tarfile.LNKTYPE, linkname=name)), root)
    way = [
        entry("way", tarfile.SYMTYPE, linkname=str(root.parent / "outside")),
        entry("own", tarfile.LNKTYPE, linkname="way/secret"),
    ]
    with pytest.raises(InvalidRequestError):
        unpack(tar(*way), root)
    assert untouched(root)


def test_a_file_over_a_symlink_replaces_the_link(root: Path) -> None:
    link = entry("a", tarfile.SYMTYPE, linkname=str(root.parent / "outside/secret"))
    unpack(tar(link, entry("a", content=b"evil")), root)
    assert (root / "a").read_bytes() == b"evil"
    assert untouched(root)


def test_a_whiteout_of_the_folder_itself_is_refused(root: Path) -> None:
    for name in (".wh.", ".wh...", ".wh.."):
        with pytest.raises(InvalidRequestError, match="broken whiteout"):
            unpack(tar(entry(f"d/{name}")), root)


def test_more_than_the_limit_is_refused(root: Path) -> None:
    with pytest.raises(InvalidRequestError, match="more than 1000 bytes"):
        unpack(
            tar(entry("a", content=b"x" * 600), entry("b", content=b"x" * 600)), root, limit=1000
        )


def test_names_that_fill_the_memory_are_refused(root: Path) -> None:
    head = tarfile.TarInfo("long")
    head.type, head.size = tarfile.XHDTYPE, METADATA_LIMIT + 1
    with pytest.raises(InvalidRequestError, match="names and attributes"):
        unpack(head.tobuf() + bytes(2048), root)


@pytest.mark.parametrize("cut", [100, 512, 700, 1500])
def test_a_tar_that_ends_early_is_refused(root: Path, cut: int) -> None:
    whole = tar(entry("a", content=b"x" * 2000))
    with pytest.raises(InvalidRequestError):
        unpack(whole[:cut] if cut != 512 else whole[:512], root)


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh91AY"]
)
def test_broken_compression_is_refused(root: Path, magic: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        unpack(magic + os.urandom(4000), root)


def test_holes_stay_holes(root: Path) -> None:
    content = b"x" * 4096 + bytes(64 << 20) + b"y" * 4096 + bytes(1 << 20)
    unpack(tar(entry("sparse", content=content)), root)
    status = (root / "sparse").stat()
    assert status.st_size == len(content)
    assert status.st_blocks * 512 < 4 << 20
    assert (root / "sparse").read_bytes() == content


def test_gnu_sparse_files(root: Path) -> None:
    import subprocess

    source = root.parent / "made"
    source.mkdir()
    with (source / "hole").open("wb") as file:
        file.seek(5 << 20)
        file.write(b"end")
    for form in ("gnu", "posix"):
        command = ["tar", "-C", str(source), f"--format={form}", "--sparse", "-cf", "-", "hole"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        assert len(raw) < 1 << 20
        unpack(raw, root)
        assert (root / "hole").read_bytes() == bytes(5 << 20) + b"end"
    source.joinpath("hole").unlink()
    source.rmdir()


NAMES = st.lists(
    st.sampled_from(["a", "b", "..", ".", "", "way", ".wh.a", ".wh..wh..opq"]),
    min_size=1,
    max_size=4,
).map("/".join)
TARGETS = st.sampled_from(
    ["a", "..", "../outside", "/", "../../..", "way", "a/b", "/outside/secret"]
)
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)


@given(st.lists(st.tuples(KINDS, NAMES, TARGETS), max_size=8))
@settings(max_examples=150)
def test_no_archive_reaches_what_is_outside(members: list[tuple[bytes, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        root = top / "root"
        root.mkdir()
        (top / "outside").mkdir()
        (top / "outside/secret").write_text("mine")
        raw = tar(
            *(
                entry(name, kind, b"evil" if kind == tarfile.REGTYPE else b"", linkname=target)
                for kind, name, target in members
            )
        )
        try:
            unpack(raw, root)
        except EngineError:
            pass  # refused is as good
        assert untouched(root)


NODES = st.dictionaries(
    st.text("abc", min_size=1, max_size=3),
    st.one_of(st.binary(max_size=40), st.sampled_from(["->x", "dir"])),
    max_size=6,
)


@given(NODES)
@settings(max_examples=60)
def test_packed_unpacked_and_packed_again_is_the_same(nodes: dict[str, bytes | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "1", Path(folder) / "2"
        first.mkdir()
        second.mkdir()
        for name, node in nodes.items():
            if isinstance(node, bytes):
                (first / name).write_bytes(node)
            elif node == "dir":
                (first / name).mkdir()
            else:
                (first / name).symlink_to("x")
        once, twice = io.BytesIO(), io.BytesIO()
        pack_layer(str(first), once)
        unpack(once.getvalue(), second)
        pack_layer(str(second), twice)
        assert once.getvalue() == twice.getvalue()
