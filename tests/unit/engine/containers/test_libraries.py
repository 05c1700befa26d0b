"""Libraries under the names that programs look for; the loader's cache."""

from __future__ import annotations

from pathlib import Path

from engine.containers.cdi import Edits
from engine.containers.libraries import parse_cache, soname, with_names
from engine.runtime.spec import Mount
from tests.unit.engine.containers.nvidia_host import elf, loader_cache


def test_the_loaders_cache_is_read() -> None:
    paths = {"libcuda.so.1": "/usr/lib/libcuda.so.1", "libz.so.1": "/lib/libz.so.1"}
    assert parse_cache(loader_cache(paths)) == paths
    assert parse_cache(b"old" + b"\0" * 45 + loader_cache({})) == {}
    assert parse_cache(loader_cache(paths)[:60]) == {}


def test_this_machines_own_cache_and_library() -> None:
    libc = parse_cache(Path("/etc/ld.so.cache").read_bytes())["libc.so.6"]
    assert soname(libc) == "libc.so.6"
    assert soname("/etc/hosts") == soname("/absent") == ""


def test_a_library_has_its_own_name_and_those_of_links(tmp_path: Path) -> None:
    file = tmp_path / "libcuda.so.550"
    file.write_bytes(elf("libcuda.so.1"))
    mount = Mount("bind", "/usr/lib64/libcuda.so.550", str(file), ("bind", "ro"))
    other = Mount("bind", "/opt/own/x.so", str(file), ("bind",))
    edits = Edits(
        mounts=(mount, other),
        links=(("libcuda.so", "/usr/lib64/libc2.so"), ("libcuda.so.1", "/usr/lib64/libcuda.so"), ("gone", "/usr/lib64/lost")),
        folders=("/usr/lib64", "/opt/own", "/usr/lib/x86_64-linux-gnu"),
    )  # fmt: skip
    found = with_names(edits)
    places = [m.target for m in found.mounts if m.source == str(file)]
    assert places == [
        "/usr/lib64/libcuda.so.550", "/opt/own/x.so", "/usr/lib64/libcuda.so.1",
        "/opt/own/libcuda.so.1", "/usr/lib64/libcuda.so", "/usr/lib64/libc2.so",
    ]  # fmt: skip
    assert all(m.options == mount.options for m in found.mounts if m.target.startswith("/usr"))
    assert found.env == ("LD_LIBRARY_PATH=/opt/own",)
    assert found.warnings == (
        "the CDI link /usr/lib64/lost is not made: /usr/lib64/gone is not mounted by the device",
    )


def test_links_in_a_circle_end() -> None:
    found = with_names(Edits(links=(("b", "/x/a"), ("a", "/x/b"))))
    assert len(found.warnings) == 2
