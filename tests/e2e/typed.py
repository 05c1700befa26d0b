"""A command that a person watches and types into: on a terminal of its own, or on pipes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.conftest import COMMAND, HOUSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Person

PATIENCE = 30.0


class Typed:
    """A running command. `text` is all it has written so far, both streams in one."""

    def __init__(self, process: subprocess.Popen[bytes], reader: int, writer: int) -> None:
        self.process = process
        self.text = ""
        self._reader = reader
        self._writer = writer
        self._seen = 0
        self._ended = False

    def expect(self, words: str, *, timeout: float = PATIENCE) -> str:
        """Read until `words` come, after those expected before; returns what was read up to them."""
        deadline = time.monotonic() + timeout
        while (at := self.text.find(words, self._seen)) < 0:
            left = deadline - time.monotonic()
            assert left > 0, f"{words!r} did not come:\n{self.text}"
            assert self._read(left), f"it ended before {words!r} came:\n{self.text}"
        found = self.text[self._seen : at + len(words)]
        self._seen = at + len(words)
        return found

    def _read(self, timeout: float) -> bool:
        """More text, if any comes in time; False at the end."""
        if self._ended:
            return False
        if not select.select([self._reader], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self._reader, 1 << 16)
        except OSError:  # how a terminal says that its last user has left
            data = b""
        self.text += data.decode(errors="replace")
        self._ended = not data
        return bool(data)

    def types(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._writer, keys.encode())

    def resize(self, height: int, width: int) -> None:
        """Change the size of the terminal's window."""
        fcntl.ioctl(self._reader, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def sends(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self.process.send_signal(number)

    def ends(self, *, timeout: float = PATIENCE) -> int:
        """Read to the end; returns the exit code."""
        deadline = time.monotonic() + timeout
        while self._read(max(deadline - time.monotonic(), 0)):
            assert time.monotonic() < deadline, f"it did not end:\n{self.text}"
        return self.process.wait(timeout=10)


@contextmanager
def typed(
    person: Person, *arguments: str, cwd: Path = HOUSE, terminal: bool = True
) -> Iterator[Typed]:
    """Start a command; it is killed if it still runs at the end of the block."""
    environment = {**person.environment, "TERM": "xterm", "NO_COLOR": ""}
    if terminal:
        reader, theirs = pty.openpty()
        writer = reader
        fcntl.ioctl(reader, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        process = subprocess.Popen(
            ["setsid", "--ctty", *COMMAND, *arguments], cwd=cwd, env=environment,
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
    else:
        reader, theirs = os.pipe()
        their_input, writer = os.pipe()
        process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=cwd, env=environment, stdin=their_input, stdout=theirs,
            stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        os.close(their_input)
    try:
        yield Typed(process, reader, writer)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for number in {reader, writer}:
            os.close(number)
