"""The init program as a file: an executable of its own, sealed, with its child and mask in place."""

from __future__ import annotations

import os
import struct

import pytest

from engine.runtime.init_program import NAME, program, sealed


def test_it_carries_the_child_and_the_mask() -> None:
    made = program(0x01020304, 0x1122334455667788)
    assert made[:4] == b"\x7fELF"
    assert struct.unpack_from("<I", made, 122) == (0x01020304,)
    assert made.endswith(struct.pack("<Q", 0x1122334455667788) + NAME.encode() + b"\0")
    entry, size = struct.unpack_from("<Q", made, 24)[0], struct.unpack_from("<Q", made, 64 + 32)[0]
    assert (entry, size) == (0x400078, len(made))
    mask = made.index(struct.pack("<Q", 0x1122334455667788))
    for place, length, wanted in ((11, 7, mask + 8), (32, 7, mask)):  # what the code points to
        (distance,) = struct.unpack_from("<i", made, 120 + place + length - 4)
        assert 120 + place + length + distance == wanted


def test_nobody_changes_the_file() -> None:
    fd = sealed(b"content")
    try:
        for change in (lambda: os.write(fd, b"x"), lambda: os.ftruncate(fd, 0)):
            with pytest.raises(PermissionError):
                change()
        assert os.pread(fd, 10, 0) == b"content"
        assert os.fstat(fd).st_mode & 0o777 == 0o555
    finally:
        os.close(fd)
