"""Watches the engine's loop: which step of which task kept everybody else waiting, and for how long.

A step is what runs between two awaits. Time that the scheduler took from us is not counted, so that a
busy machine does not look like a slow engine (/proc/thread-self/schedstat, sched-stats.rst). Off unless
asked for: PYCOMPOSE_LOOP_WATCH_MS=10 writes steps over 10 ms to the engine's log.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "PYCOMPOSE_LOOP_WATCH_MS"


class LoopWatch(trio.abc.Instrument):
    """An instrument that reports slow steps to `report(milliseconds, where)`."""

    def __init__(self, limit_ms: float, report: Callable[[float, str], None]) -> None:
        self._limit_ns = limit_ms * 1_000_000
        self._report = report
        self._stat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._began = self._waited = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio's hook."""
        del task
        self._waited = self._run_delay()
        self._began = time.monotonic_ns()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Trio's hook."""
        wall = time.monotonic_ns() - self._began if self._began else 0
        if wall >= self._limit_ns:
            blocked = wall - (self._run_delay() - self._waited)
            if blocked >= self._limit_ns:
                self._report(blocked / 1e6, _place(task))

    def after_run(self) -> None:
        """Trio's hook."""
        os.close(self._stat)

    def _run_delay(self) -> int:
        """Nanoseconds that this thread was ready to run and did not."""
        return int(os.pread(self._stat, 64, 0).split()[1])


def _place(task: trio.lowlevel.Task) -> str:
    """The task's name, and the innermost of our own lines that it waits in now."""
    found = ""
    for frame, line in task.iter_await_frames():
        if "/engine/" in frame.f_code.co_filename:
            found = f"{frame.f_code.co_filename.rpartition('/engine/')[2]}:{line}"
    return f"{task.name} {found}".strip()


def watch_if_asked() -> None:
    """Install the watch on this run where the environment asks for it."""
    limit = os.environ.get(VARIABLE, "")
    if limit.replace(".", "", 1).isdigit():
        trio.lowlevel.add_instrument(LoopWatch(float(limit), _say))


def _say(milliseconds: float, where: str) -> None:
    print(f"slow step: {milliseconds:.1f} ms before {where}", file=sys.stderr, flush=True)  # noqa: T201  # the engine's log
