"""Device rules under cgroup v2: a small BPF program, attached to the container's cgroup.

Rules are compiled in reverse, so that the last one that matches decides, as v1's order of writes
does. Source: bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE; struct bpf_cgroup_dev_ctx of linux/bpf.h.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from engine.runtime import syscalls as sc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.runtime.spec import DeviceRule

_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}


def _instruction(
    code: int, destination: int = 0, source: int = 0, offset: int = 0, value: int = 0
) -> bytes:
    return struct.pack("=BBhi", code, source << 4 | destination, offset, value)


def compile_device_filter(rules: Sequence[DeviceRule]) -> bytes:
    """The program for some rules; what no rule names is denied. Pure.

    Registers: r2 kind, r3 access asked for, r4 major, r5 minor.
    """
    program = [
        _instruction(0x61, 2, 1, 0),  # r2 = ctx.access_type
        _instruction(0xBC, 3, 2),  # w3 = w2
        _instruction(0x54, 2, value=0xFFFF),  # w2 &= 0xffff: the kind
        _instruction(0x74, 3, value=16),  # w3 >>= 16: the access
        _instruction(0x61, 4, 1, 4),  # r4 = ctx.major
        _instruction(0x61, 5, 1, 8),  # r5 = ctx.minor
    ]
    for rule in reversed(rules):
        program += _compile_rule(rule)
        if rule.kind == "a":  # decides for all that is left: the kernel refuses code behind it
            return b"".join(program)
    program += _verdict(allow=False)
    return b"".join(program)


def _verdict(*, allow: bool) -> list[bytes]:
    return [_instruction(0xB4, 0, value=int(allow)), _instruction(0x95)]  # w0 = allow; exit


def _compile_rule(rule: DeviceRule) -> list[bytes]:
    verdict = _verdict(allow=rule.allow)
    if rule.kind == "a":
        return verdict
    tests: list[tuple[int, int, int]] = [(0x56, 2, _KINDS[rule.kind])]  # jne32
    if rule.major is not None:
        tests.append((0x56, 4, rule.major))
    if rule.minor is not None:
        tests.append((0x56, 5, rule.minor))
    granted = sum(_ACCESS[letter] for letter in rule.access)
    access: list[bytes] = []
    if granted != 7:
        access = [
            _instruction(0xBC, 1, 3),  # w1 = w3
            _instruction(0x54, 1, value=~granted & 7),  # what is asked for beyond the rule
            _instruction(0x56, 1, 0, len(verdict), 0),
        ]
    body = [*access, *verdict]
    out = []
    for number, (code, register, value) in enumerate(tests):
        skip = len(tests) - number - 1 + len(body)
        out.append(_instruction(code, register, 0, skip, value))
    return out + body


def attach_device_filter(folder: str, rules: Sequence[DeviceRule]) -> None:
    """Attach the rules' program to a v2 cgroup. Raises OSError."""
    if not rules:
        return
    cgroup = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        program = sc.bpf_load_device_filter(compile_device_filter(rules))
        try:
            sc.bpf_attach_device_filter(cgroup, program)
        finally:
            os.close(program)
    finally:
        os.close(cgroup)
