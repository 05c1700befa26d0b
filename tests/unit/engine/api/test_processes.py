"""Rows of top, and what is read of the kernel's statistics."""

from __future__ import annotations

import os

import pytest

from engine.api.processes import parse_ps, process_row
from engine.containers.stats import parse_interfaces, parse_system_cpu
from engine.errors import InvalidRequestError
from engine.runtime.cgroups.usage import (
    TICK_NS,
    BlockUsage,
    fields_of,
    parse_io_stat,
    parse_throttle,
)


def test_the_last_column_takes_the_rest_of_a_line() -> None:
    text = "  PID CMD\n    7 sh -c  echo\n   8 other\n"
    assert parse_ps(text, {7}) == (["PID", "CMD"], [["7", "sh -c  echo"]])
    with pytest.raises(InvalidRequestError, match="PID field"):
        parse_ps("CMD\nx\n", {7})


def test_a_process_of_our_own_is_a_row() -> None:
    row = process_row(os.getpid())
    assert row is not None
    assert row[1:3] == [str(os.getpid()), str(os.getppid())]
    assert process_row(2**22 + 1) is None


def test_the_kernels_tables() -> None:
    head = "Inter-|   Receive ...\n face |bytes ...\n"
    lines = "    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n"
    (found,) = parse_interfaces(head + lines)
    assert (found.name, found.rx_bytes, found.rx_dropped, found.tx_bytes, found.tx_dropped) == (
        "eth0", 10, 4, 50, 8,
    )  # fmt: skip
    assert parse_system_cpu("cpu  1 2 3 4 5 6 7 100 0 0\ncpu0 ...\n") == 28 * TICK_NS
    assert fields_of("anon 5\nodd\nfile 7\nneg -1\n") == {"anon": 5, "file": 7}
    assert parse_io_stat("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n") == (
        BlockUsage(8, 0, 1, 2, 3, 4),
    )
    sizes = "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n"
    assert parse_throttle(sizes, "8:0 Read 1\n8:0 Write 2\n") == (BlockUsage(8, 0, 10, 20, 1, 2),)
