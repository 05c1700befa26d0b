"""From inside the root to the program: the user, the privileges, the search on PATH, execve."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # without the enumerations, which cost a start 0.1 ms
import os
import signal
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from engine.runtime import syscalls as sc
from engine.runtime.identity import read_identity
from engine.runtime.mounting import open_in_root
from engine.runtime.privileges import drop_to, set_rlimits
from engine.runtime.tiny_init import supervise

if TYPE_CHECKING:
    import _socket

    from engine.runtime.identity import Identity
    from engine.runtime.spec import Process
    from engine.runtime.user_namespace import Ids

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Signals that may be ignored here (by Python, the fork server, or whoever started the engine): what
#: is ignored stays so through execve, and a shell cannot even trap it.
INHERITED = tuple(range(1, 32))


class Refusal(Exception):  # noqa: N818  # the image or the request is at fault, not this code
    """The process cannot be started; `exit_code` is what Docker gives for it (125, 126, 127)."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Ready:
    """What a program starts with once all that needs privileges is done."""

    who: Identity
    environment: dict[str, str]


def start_program(  # what a program starts with
    process: Process,
    root: int,
    sync: _socket.socket,
    seccomp: bytes,
    ids: Ids | None,
    *,
    init: bool,
) -> NoReturn:
    """Become the user, find the program, execute it: a container's own. Raises Refusal or OSError.

    `ids` is a user namespace to enter, with a mount namespace that belongs to it.
    """
    proc = open_in_root(root, "/proc")
    ready = make_ready(process, root, ids, proc, first=True)
    sc.close_all_but(sync.fileno())
    drop_to(process, ready.who, seccomp)
    run_program(process, ready, sync, init=init)


def make_ready(
    process: Process, root: int, ids: Ids | None, proc: int | None, *, first: bool
) -> Ready:
    """All that needs privileges; what is left of them `drop_to` takes. Raises Refusal or OSError.

    `proc` is a /proc that knows this process; `first` is a container's own process.
    """
    who = read_identity(root, process.user, process.groups)
    environment = dict(entry.partition("=")[::2] for entry in process.env)
    environment.setdefault("HOME", who.home)
    set_rlimits(process.rlimits)
    if process.oom_score_adj:
        _set_oom_score(proc, process.oom_score_adj)
    _give_stdio(ids.outside(who.uid) if ids else who.uid)
    os.umask(process.umask)
    if process.apparmor:
        _set_apparmor(proc, process.apparmor)
    if ids:
        ids.enter(new_mounts=first)
    return Ready(who, environment)


def run_program(process: Process, ready: Ready, sync: _socket.socket, *, init: bool) -> NoReturn:
    """The last steps, with the program's own privileges. Raises Refusal or OSError."""
    # A change of user has made the kernel forget it (prctl(2)): without monitor, no container.
    sc.prctl(sc.PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.chdir(process.cwd or "/")
    except OSError as error:
        words = f"cannot enter the working directory {process.cwd}: {error.strerror}"
        raise Refusal(126, words) from error
    for number in INHERITED:
        if _signal.getsignal(number) == _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    if init:
        supervise(sync, process.args, ready.environment)
    execute(process.args, ready.environment)


def _give_stdio(uid: int) -> None:
    """Else /dev/stdout could not be opened by a user who is not root."""
    for number in (0, 1, 2):
        if stat.S_ISFIFO(os.fstat(number).st_mode) or os.isatty(number):
            os.fchown(number, uid, -1)


def execute(args: tuple[str, ...], environment: dict[str, str]) -> NoReturn:
    """execve with a search on the container's PATH. Raises Refusal in Docker's words."""
    if not args or not args[0]:
        raise Refusal(127, 'exec: "": executable file not found in $PATH')
    name = args[0]
    folders = environment.get("PATH", DEFAULT_PATH).split(":")
    candidates = [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in folders]
    denied = ""
    for candidate in candidates:
        try:
            if stat.S_ISDIR(os.stat(candidate).st_mode):
                denied = denied or f'exec: "{name}": is a directory'
            else:
                os.execve(candidate, list(args), environment)  # noqa: S606  # what a runtime is for
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.exists(candidate):  # a script's interpreter or the loader is missing
                raise Refusal(127, f"exec {candidate}: {error.strerror}") from error
        except PermissionError:
            denied = denied or f'exec: "{name}": permission denied'
        except OSError as error:
            raise Refusal(126, f"exec {candidate}: {error.strerror}") from error
    if denied:
        raise Refusal(126, denied)
    if "/" in name:
        raise Refusal(127, f'exec: "{name}": stat {name}: no such file or directory')
    raise Refusal(127, f'exec: "{name}": executable file not found in $PATH')


def _set_apparmor(proc: int | None, profile: str) -> None:
    """Ask AppArmor to confine what is executed next. Source: the kernel's apparmor documentation."""
    fd = _own_file(proc, "attr/apparmor/exec")
    if fd is None:
        fd = _own_file(proc, "attr/exec")
    if fd is None:
        raise Refusal(125, "cannot set an AppArmor profile: /proc has no place for it")
    try:
        os.write(fd, f"exec {profile}".encode())
    except OSError as error:
        raise Refusal(
            125, f"cannot apply the AppArmor profile {profile}: {error.strerror} (is it loaded?)"
        ) from error
    finally:
        os.close(fd)


def _set_oom_score(proc: int | None, value: int) -> None:
    """Lowering the score needs a right that the engine may lack; raising it always works."""
    fd = _own_file(proc, "oom_score_adj")
    if fd is None:
        raise Refusal(125, f"cannot set oom_score_adj to {value}: /proc has no place for it")
    try:
        os.write(fd, str(value).encode())
    except PermissionError as error:
        raise Refusal(
            125, f"cannot set oom_score_adj to {value}: the engine may not lower it"
        ) from error
    finally:
        os.close(fd)


def _own_file(proc: int | None, name: str) -> int | None:
    """This thread's file in a /proc, to be written; None if there is none."""
    if proc is None:
        return None
    try:
        return os.open(f"thread-self/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc)
    except FileNotFoundError:
        return None
