"""From inside the root to the program: the user, the privileges, the search on PATH, execve."""

from __future__ import annotations

import os
import signal
import stat
from typing import TYPE_CHECKING, NoReturn

from engine.runtime import syscalls as sc
from engine.runtime.identity import read_identity
from engine.runtime.mounting import open_in_root
from engine.runtime.privileges import drop_to, set_rlimits
from engine.runtime.tiny_init import supervise

if TYPE_CHECKING:
    import socket

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


def start_program(  # what a program starts with
    process: Process,
    root: int,
    sync: socket.socket,
    seccomp: bytes,
    ids: Ids | None,
    *,
    init: bool,
    first: bool = True,
) -> NoReturn:
    """Become the user, find the program, execute it. Raises Refusal or OSError.

    `ids` is a user namespace to enter; `first` is the container's own process, which makes the mount
    namespace that belongs to it.
    """
    who = read_identity(root, process.user, process.groups)
    environment = dict(entry.partition("=")[::2] for entry in process.env)
    environment.setdefault("HOME", who.home)
    set_rlimits(process.rlimits)
    if process.oom_score_adj:
        _set_oom_score(process.oom_score_adj)
    _give_stdio(ids.outside(who.uid) if ids else who.uid)
    os.umask(process.umask)
    if process.apparmor:
        _set_apparmor(root, process.apparmor)
    if ids:
        ids.enter(new_mounts=first)
    if sync.fileno() > 3:
        sc.close_range(3, sync.fileno() - 1)
    sc.close_range(sync.fileno() + 1)
    drop_to(process, who, seccomp)
    # A change of user has made the kernel forget it (prctl(2)): without monitor, no container.
    sc.prctl(sc.PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.chdir(process.cwd or "/")
    except OSError as error:
        words = f"cannot enter the working directory {process.cwd}: {error.strerror}"
        raise Refusal(126, words) from error
    for number in INHERITED:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if init:
        supervise(sync)
    execute(process.args, environment)


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


def _set_apparmor(root: int, profile: str) -> None:
    """Ask AppArmor to confine what is executed next. Source: the kernel's apparmor documentation."""
    fd = open_in_root(root, "/proc/thread-self/attr/apparmor/exec", os.O_WRONLY)
    if fd is None:
        fd = open_in_root(root, "/proc/thread-self/attr/exec", os.O_WRONLY)
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


def _set_oom_score(value: int) -> None:
    """Lowering the score needs a right that the engine may lack; raising it always works."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    except PermissionError as error:
        raise Refusal(
            125, f"cannot set oom_score_adj to {value}: the engine may not lower it"
        ) from error
    finally:
        os.close(fd)
