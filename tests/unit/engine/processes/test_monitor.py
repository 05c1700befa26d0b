"""The monitor in this process, on real pipes: what it makes of the end of the program."""

from __future__ import annotations

import fcntl
import os
import select
import socket
from pathlib import Path

import pytest

from engine.processes import messages, monitor
from engine.processes.keeper import Kept
from engine.runtime.order import Order
from engine.runtime.spec import Cgroup, LogTarget


@pytest.mark.parametrize("cleared", [False, True])
def test_what_the_program_wrote_before_its_end_is_kept_however_late_the_monitor_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cleared: bool
) -> None:
    """`cleared`: the engine has taken its run folder away, since it heard of the end."""
    monkeypatch.setattr(monitor, "EXEC_DRAIN", 0.0)  # as if the machine had had no time for us
    log = LogTarget(path=str(tmp_path / "log"))
    order = Order(
        id="a" * 64, run_dir=str(tmp_path), container=False, terminal=False, size=None,
        stdin_open=False, cgroup=Cgroup("v2", "none"), log=log,
    )  # fmt: skip
    channel, engine = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = Kept(messages.request(order), channel.detach())
    kept.server = messages.bind_socket(str(tmp_path)).detach()
    kept.stdout, written = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    size = fcntl.fcntl(written, fcntl.F_SETPIPE_SZ, 1 << 18)
    assert os.write(written, b"x" * size) == size
    kept.pid = os.fork()
    if not kept.pid:
        os._exit(3)
    os.waitid(os.P_PID, kept.pid, os.WEXITED | os.WNOWAIT)
    kept.pidfd = os.pidfd_open(kept.pid)
    kept.epoll.register(kept.pidfd, select.EPOLLIN)
    kept.epoll.register(kept.stdout, select.EPOLLIN)
    watching = monitor.Monitor(kept)
    if cleared:
        (tmp_path / messages.SOCKET_NAME).unlink()
    watching.serve()
    assert Path(log.path).read_text().count("x") == size
    assert messages.decode(engine.recv(messages.LIMIT))["exit_code"] == 3
    for fd in (written, kept.stdout, kept.pidfd):
        os.close(fd)
    for one in (kept.epoll, kept.link, kept.theirs, engine, watching.channel):
        one.close()
