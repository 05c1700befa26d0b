"""A process that has begun to end is told from one that runs, whoever has its number now."""

from __future__ import annotations

import os

from engine.runtime.pids import is_ending, start_time


def test_a_process_ends_once() -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    born = start_time(pid)
    assert not is_ending(pid, born)
    assert is_ending(pid, born + 1)  # another one, of that number
    os.close(writing)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert is_ending(pid, born)  # nobody has reaped it
    os.waitpid(pid, 0)
    assert is_ending(pid, born)
