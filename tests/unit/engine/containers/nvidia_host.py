"""A host with NVIDIA's driver, as far as files tell: for tests on machines that have none."""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "/usr/lib/x86_64-linux-gnu"


def elf(name: str) -> bytes:
    """The smallest 64-bit library that tells its own name."""
    strings = b"\0" + name.encode() + b"\0"
    dynamic = struct.pack("<6Q", 5, 64 + 2 * 56 + 48, 14, 1, 0, 0)
    body = dynamic + strings
    start = 64 + 2 * 56
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    total = start + len(body)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, total, total, 4096)
    table = struct.pack("<IIQQQQQQ", 2, 4, start, start, start, 48, 48, 8)
    return head + load + table + body


def loader_cache(paths: dict[str, str]) -> bytes:
    """/etc/ld.so.cache in glibc's present form, of names and their files."""
    texts, offsets = b"", []
    base = 48 + 24 * len(paths)
    for name, path in paths.items():
        offsets.append((base + len(texts), base + len(texts) + len(name) + 1))
        texts += name.encode() + b"\0" + path.encode() + b"\0"
    entries = b"".join(struct.pack("<iIIIQ", 0x0303, key, value, 0, 0) for key, value in offsets)
    head = b"glibc-ld.so.cache1.1" + struct.pack("<II", len(paths), len(texts)) + bytes(20)
    return head + entries + texts


def make_host(root: Path, *, nodes: bool) -> None:
    """Two cards with their driver below `root`; device nodes need root's rights (null devices they are)."""
    for minor, uuid in ((0, "GPU-aa"), (1, "GPU-bb")):
        card = root / f"proc/driver/nvidia/gpus/0000:0{minor}:00.0"
        card.mkdir(parents=True)
        (card / "information").write_text(
            f"Model: \t\t Made Up\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n"
        )
    (root / "dev").mkdir()
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        if nodes:
            os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        else:
            (root / "dev" / name).symlink_to("/dev/null")
    libraries = root / FOLDER.lstrip("/")
    libraries.mkdir(parents=True)
    for name in ("cuda", "nvidia-ml", "nvidia-encode", "z"):
        (libraries / f"lib{name}.so.1.2.3").write_bytes(elf(f"lib{name}.so.1"))
        (libraries / f"lib{name}.so.1").symlink_to(f"lib{name}.so.1.2.3")
    (root / "usr/bin").mkdir()
    (root / "usr/bin/nvidia-smi").write_text("#!/bin/sh\necho two cards\n")
    (root / "usr/bin/nvidia-smi").chmod(0o755)
    (root / "etc").mkdir()
    names = [f"lib{name}.so.1" for name in ("cuda", "nvidia-ml", "nvidia-encode", "z")]
    cache = loader_cache({name: f"{FOLDER}/{name}" for name in names})
    (root / "etc/ld.so.cache").write_bytes(cache)
