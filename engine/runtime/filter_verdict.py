"""What a compiled system call filter says to a call: so that one's own steps can be ordered by it.

An exec gives up its privileges before its process is born inside. What it has to do after that must
pass the program's filter; where a profile of the user's forbids it, the order is another. Pure.
Sources: seccomp(2), the kernel's Documentation/networking/filter.rst.
"""

from __future__ import annotations

import platform
import struct

#: Of the calls between the filter and execve that no program needs: x86_64's number, aarch64's.
_CALLS = {
    "clone": (56, 220), "close": (3, 57), "exit_group": (231, 94), "ioctl": (16, 29),
    "recvfrom": (45, 207), "sendmsg": (46, 211), "setsid": (112, 157),
}  # fmt: skip
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
#: CLONE_PARENT | CLONE_PIDFD | SIGCHLD, as the birth asks for it.
_CLONE_FLAGS = 0x8000 | 0x1000 | 17
#: The two actions after which a call goes on: SECCOMP_RET_LOG, SECCOMP_RET_ALLOW.
_GOES_ON = (0x7FFC0000, 0x7FFF0000)
_SIZE = 8


def lets_through(program: bytes, machine: str = platform.machine()) -> bool:
    """Whether a filter (b"": none) allows all the calls between it and an exec's program."""
    column, architecture = _ARCHITECTURES[machine]
    return not program or all(
        verdict(program, numbers[column], architecture, _CLONE_FLAGS if name == "clone" else 0)
        & 0xFFFF0000
        in _GOES_ON
        for name, numbers in _CALLS.items()
    )


def verdict(program: bytes, number: int, architecture: int, first: int = 0) -> int:
    """The filter's answer to a call with `first` as its first argument and zeros for the others.

    Raises ValueError for an instruction that no filter of libseccomp has.
    """
    data = struct.pack("=iIQQ", number, architecture, 0, first).ljust(64, b"\0")
    accumulator, at = 0, 0
    while True:
        code, true, false, value = struct.unpack_from("=HBBI", program, at * _SIZE)
        at += 1
        if code == 0x06:  # ret
            return int(value)
        if code == 0x20:  # ld
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x54:  # and
            accumulator &= value
        elif code == 0x05:  # ja
            at += value
        elif code in (0x15, 0x25, 0x35, 0x45):  # jeq, jgt, jge, jset
            holds = {
                0x15: accumulator == value,
                0x25: accumulator > value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[code]
            at += true if holds else false
        else:
            raise ValueError(f"no instruction of a filter: {code:#x}")
