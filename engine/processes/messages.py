"""What engine, fork server and monitors say to each other. Versioned: a monitor outlives its engine.

Three conversations, all over unix sockets:
1. engine -> fork server (SEQPACKET): one datagram with an Order, and two descriptors: a memfd with
   the spec, and the monitor's end of the launch channel.
2. launch channel (SEQPACKET) between engine and a new monitor: Prepared with descriptors, then
   START or ABORT, then Started or Failed; after Started the exit record, in the end.
3. the monitor's own socket in the run folder (STREAM): one line of JSON asks (attach, resize, wait);
   one line answers; after an attach both sides go on with stream frames and raw stdin.
"""

from __future__ import annotations

import _socket
import fcntl
import json
import os
import struct
import termios
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.runtime.order import Order

#: Of conversation 3: an engine that is newer must still understand it.
PROTOCOL = 1
START, ABORT = b"start", b"abort"
#: The stream number of an empty frame that says: this was all. Without it something was left out.
END_MARK = 3
SOCKET_NAME, EXIT_NAME = "monitor.sock", "exit.json"
#: Largest datagram and largest request line.
LIMIT = 1 << 16


def encode(**fields: Any) -> bytes:
    """A message as JSON bytes."""
    return json.dumps(fields, separators=(",", ":")).encode()


def request(order: Order) -> bytes:
    """An order as the fork server takes it: what a monitor reads without JSON, then all of it."""
    return order.head() + b"\0" + encode(**order.fields())


def decode(message: bytes) -> dict[str, Any]:
    """The inverse of `encode`. Raises ValueError."""
    document = json.loads(message)
    if not isinstance(document, dict):
        raise ValueError(f"not a message: {message[:80]!r}")
    return document


def set_size(terminal: int, rows: int, columns: int) -> None:
    """Set a terminal's size. Raises struct.error for a size that is none."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def readable(fd: int) -> int:
    """How many bytes a pipe or terminal holds for its reader (ioctl_tty(2), FIONREAD)."""
    answer = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", answer)[0])


def bind_socket(folder: str) -> _socket.socket:
    """Listen on a run folder's socket; by descriptor, since paths of sockets are short (unix(7))."""
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK)
    try:
        try:
            os.unlink(SOCKET_NAME, dir_fd=directory)
        except FileNotFoundError:
            pass
        server.bind(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
        server.listen(64)
    except OSError:
        server.close()
        raise
    finally:
        os.close(directory)
    return server
