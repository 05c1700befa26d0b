"""This process's own streams joined to a program's in a container: bytes both ways, window size, signals.

One thread and one poll: `exec` must start fast, so there is no event loop to import. Rules: the
terminal is always given back as it was; our standard input ending closes that direction only; the
end of the connection is the end.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from compose.operations.detach_keys import DEFAULT, DetachKeys, parse_keys
from networking.wire.stdstream import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CHUNK = 1 << 16
#: Signals that go to the program instead of ending us, where it has no terminal of its own.
PASSED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def is_terminal(number: int) -> bool:
    """Whether a descriptor is a terminal; a closed one is not."""
    try:
        return os.isatty(number)
    except OSError:
        return False


def window_size() -> tuple[int, int]:
    """(height, width) of the terminal; (0, 0) if there is none."""
    try:
        size = os.get_terminal_size(1)
    except OSError:
        return 0, 0
    return size.lines, size.columns


@contextmanager
def raw_terminal(*, wanted: bool) -> Iterator[None]:
    """Standard input in raw mode while the block runs: each key goes to the program."""
    if not wanted or not is_terminal(0):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def signals_as_bytes(wanted: Sequence[int]) -> Iterator[int]:
    """A descriptor that a byte can be read from for each of these signals."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in wanted}
    previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def join(
    connection: socket.socket,
    first: bytes,
    *,
    tty: bool,
    stdin: bool,
    on_resize: Callable[[int, int], None],
    on_signal: Callable[[int], None] | None = None,
    detach_keys: str = DEFAULT,
) -> bool:
    """Copy both ways until the connection ends. `first` came with the head of the answer.

    `on_signal` None leaves signals as they are. Returns False if the person has left with the detach
    keys, which are looked for where there is a terminal. Raises UsageError for bad keys.
    """
    keys = DetachKeys(parse_keys(detach_keys or DEFAULT) if tty else b"")
    watched = [*(PASSED_ON if on_signal is not None else ()), *([signal.SIGWINCH] if tty else [])]
    with raw_terminal(wanted=tty and stdin), signals_as_bytes(watched) as signals:
        copier = _Copier(connection, keys, tty=tty)
        copier.write(first)
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.register(signals, select.POLLIN)
        if stdin:
            poll.register(0, select.POLLIN)
        while True:
            ready = {number for number, _ in poll.poll()}
            if signals in ready:
                for number in os.read(signals, 64):
                    if number == signal.SIGWINCH:
                        on_resize(*window_size())
                    elif on_signal is not None and number in PASSED_ON:
                        on_signal(number)
            if connection.fileno() in ready and not copier.receive():
                return True
            if 0 in ready and not copier.send():
                poll.unregister(0)
            if keys.detached:
                return False


class _Copier:
    """The two directions."""

    def __init__(self, connection: socket.socket, keys: DetachKeys, *, tty: bool) -> None:
        self._connection = connection
        self._keys = keys
        self._decoder = None if tty else FrameDecoder()

    def receive(self) -> bool:
        """What the program wrote -> our output; False at its end."""
        try:
            data = self._connection.recv(CHUNK)
        except ConnectionResetError:
            return False
        self.write(data)
        return bool(data)

    def write(self, data: bytes) -> None:
        if self._decoder is None:
            write_all(1, data)
            return
        for stream, payload in self._decoder.feed(data):
            write_all(2 if stream == 2 else 1, payload)

    def send(self) -> bool:
        """Our input -> the program; False at its end, which is passed on."""
        try:
            data = os.read(0, CHUNK)
        except OSError:
            data = b""
        try:
            if data:
                self._connection.sendall(self._keys.feed(data))
                if self._keys.detached:  # the engine is told too: it is no lost connection
                    self._connection.sendall(self._keys.keys)
                return True
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has ended meanwhile; its last words are still to be read
        return False


def write_all(number: int, data: bytes) -> None:
    """All of it to a descriptor, after what Python has buffered."""
    if not data:
        return
    (sys.stdout if number == 1 else sys.stderr).flush()
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]
