"""The program that is PID 1 of a container with `init: true`: a few instructions in a sealed file in memory.

Rules: it holds nothing of the engine's, so that nobody inside, CAP_SYS_PTRACE or not, finds the
engine's memory, environment or interpreter behind /proc/1. Its file is a memfd that nothing can be
written to any more. It forwards every signal to the container's program, reaps whoever ends, and ends
as the program does. It inherits its signal mask: all that it waits for is blocked before execve.

The code is x86_64's, written out below with what each line does; other machines have no such program
(`tiny_init` stays an interpreter there). Sources: the System V ABI and its kernel's appendix, elf(5),
rt_sigtimedwait(2), wait4(2), memfd_create(2), the instruction set reference.
"""

from __future__ import annotations

import fcntl
import os
import struct

_CODE = (
    "41bc {child:08x}",  # mov r12d, CHILD            the program's pid, filled in
    "bf0f000000",  # mov edi, PR_SET_NAME
    "488d3595000000",  # lea rsi, [NAME]
    "b89d000000 0f05",  # prctl
    "4881ec00010000",  # sub rsp, 256                 room for a siginfo
    # wait:
    "488d3d78000000",  # lea rdi, [MASK]
    "4889e6 31d2 41ba08000000",  # rsi = rsp; no timeout; 8 bytes of mask
    "b880000000 0f05",  # rt_sigtimedwait
    "85c0 78e3",  # interrupted: wait
    "83f811 740e",  # SIGCHLD: reap
    "4489e7 89c6 b83e000000 0f05",  # kill(CHILD, signal)
    "ebd0",  # wait
    # reap:
    "4883cfff 4889e6 ba01000000 4531d2",  # (-1, rsp, WNOHANG, 0)
    "b83d000000 0f05",  # wait4
    "85c0 7e0f",  # nobody more: look
    "4439e0 75e1",  # not CHILD: reap
    "8b2c24 bb01000000 ebd7",  # keep the status, remember; reap
    # look:
    "83fb01 75a2",  # CHILD lives: wait
    "89ef 83e77f 7408",  # by a signal? else: ended
    "81c780000000 eb0b",  # 128 + signal; leave
    # ended:
    "89ef c1ef08 81e7ff000000",  # the exit status
    # leave:
    "b8e7000000 0f05",  # exit_group
)
NAME = "pycompose-init"
#: What os.uname() calls the machines that this code runs on.
MACHINE = "x86_64"
_BASE, _HEAD = 0x400000, 64 + 56
_ELF_MACHINE = 62
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


def program(child: int, signals: int) -> bytes:
    """A static executable that looks after the process `child`; `signals` is the mask it waits for."""
    hexes = "".join(_CODE).replace("{child:08x}", struct.pack("<I", child).hex())
    code = bytes.fromhex(hexes) + struct.pack("<Q", signals) + NAME.encode() + b"\0"
    size = _HEAD + len(code)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 2, _ELF_MACHINE, 1, _BASE + _HEAD, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000) + code


def sealed(content: bytes) -> int:
    """A descriptor of a file in memory that cannot be changed, to be executed. Raises OSError."""
    fd = os.memfd_create(NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.write(fd, content)
        os.fchmod(fd, 0o555)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(fd)
        raise
    return fd
