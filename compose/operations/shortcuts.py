"""The keys that a person can press while `up` reads along, and the line that names them.

Keys come one by one, unechoed, but Ctrl-C and Ctrl-Z stay signals; the terminal is given back as it
was, whatever happens. Only the foreground job of a terminal reads keys.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from compose.operations.terminal import is_terminal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

BOLD, FAINT, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def can_read_keys() -> bool:
    """Whether our input and output are a terminal that we are in the foreground of."""
    try:
        return is_terminal(0) and is_terminal(1) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def menu_line(*, watching: bool, colours: bool, width: int) -> str:
    """ "w Enable Watch   v View Services ...", cut to the window."""
    items = [
        ("v", "View Services"),
        ("o", "View Config"),
        ("w", "Disable Watch" if watching else "Enable Watch"),
        ("d", "Detach"),
    ]
    shown: list[str] = []
    left = width
    for key, text in items:
        left -= len(key) + 1 + len(text) + 3 * bool(shown)
        if left < 0:
            break
        shown.append(f"{BOLD}{key}{PLAIN} {FAINT}{text}{PLAIN}" if colours else f"{key} {text}")
    return "   ".join(shown)


@contextmanager
def unbuffered_keys() -> Iterator[None]:
    """Standard input without echo and without waiting for Enter."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setcbreak(0, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


async def read_keys(on_key: Callable[[str], Awaitable[None]]) -> None:
    """Call `on_key` for each key, one after the other, until cancelled or the terminal is gone."""
    while True:
        await trio.lowlevel.wait_readable(0)
        try:
            data = os.read(0, 64)
        except OSError:
            data = b""
        if not data:
            return
        for key in data.decode(errors="replace"):
            await on_key(key)
