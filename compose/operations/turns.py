"""One `up` of a project at a time: who comes second is told who is at work, and waits.

A lock on a file, held by the kernel: it is free the moment its holder ends, however it ends. The
file names the holder. `down` and `stop` do not wait: they are how a hanging `up` is ended.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager

from compose.errors import ComposeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from compose.engine_client.endpoint import Endpoint


@contextmanager
def turn(endpoint: Endpoint, project: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the project's turn while the block runs; `tell` hears whom it waits for.

    Raises ComposeError where the lock cannot be made, KeyboardInterrupt at Ctrl-C.
    """
    number = _open(*_path(endpoint, project))
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(number, 4096, 0).decode(errors="replace").strip() or "another process"
            tell(f'waiting for {holder}, which is changing project "{project}"')
            fcntl.flock(number, fcntl.LOCK_EX)
        os.ftruncate(number, 0)
        os.pwrite(number, f"{_command_line()} (process {os.getpid()})\n".encode(), 0)
        yield
    finally:
        os.close(number)


def _path(endpoint: Endpoint, project: str) -> tuple[str, str]:
    """Beside our own engine's socket, else in a folder of the user's that all their shells share."""
    if endpoint.path and not endpoint.explicit:
        return f"{endpoint.path.rpartition('/')[0]}/turns", f"{project}.lock"
    where = str(endpoint).replace("%", "%25").replace("/", "%2F")
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    return f"{base}/pycompose-{os.geteuid()}", f"{where[-100:]}-{project}.lock"


def _open(folder: str, name: str) -> int:
    path = f"{folder}/{name}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103  # pathlib costs more than this
        if os.stat(folder).st_uid != os.geteuid():  # noqa: PTH116
            raise ComposeError(f"{folder} belongs to another user: remove it")
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ComposeError(
            f"cannot lock the project at {path}: {error.strerror}: make the folder writable"
        ) from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ComposeError(f"{path} is no file: remove it")
    return number


def _command_line() -> str:
    """This process's command, as the person typed it."""
    import sys

    return " ".join(["pycompose", *sys.argv[1:]])[:200]
