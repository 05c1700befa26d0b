"""What a compiled filter says to a call, by libseccomp's own programs."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pyseccomp
import pytest

from engine.runtime.filter_verdict import lets_through, verdict
from engine.runtime.seccomp import compiled_profile

X86_64, ALLOW, ERRNO = 0xC000003E, 0x7FFF0000, 0x00050000


def program(folder: Path, profile: dict[str, Any] | None = None, *held: str) -> bytes:
    """A profile as the kernel is given it."""
    return Path(compiled_profile(held, "x86_64", str(folder), profile)).read_bytes()


def test_no_filter_and_the_default_one_let_an_exec_be_born(tmp_path: Path) -> None:
    assert lets_through(b"")
    assert lets_through(program(tmp_path), "x86_64")
    assert lets_through(program(tmp_path, None, "SYS_ADMIN"), "x86_64")


@pytest.mark.parametrize("name", ["clone", "setsid", "sendmsg", "recvfrom", "exit_group"])
@pytest.mark.parametrize("action", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_TRAP"])
def test_one_call_that_is_refused_is_seen(tmp_path: Path, name: str, action: str) -> None:
    rule = {"names": [name], "action": action}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    assert not lets_through(program(tmp_path, profile), "x86_64")


def test_a_call_that_is_only_logged_goes_on(tmp_path: Path) -> None:
    assert lets_through(program(tmp_path, {"defaultAction": "SCMP_ACT_LOG"}), "x86_64")


def test_the_default_filters_answers(tmp_path: Path) -> None:
    default = program(tmp_path)
    assert verdict(default, 0, X86_64) == ALLOW  # read
    assert verdict(default, 165, X86_64) == ERRNO | errno.EPERM  # mount
    assert verdict(default, 435, X86_64) == ERRNO | errno.ENOSYS  # clone3
    assert verdict(default, 56, X86_64, 0x10000000) == ERRNO | errno.EPERM  # a user namespace
    assert verdict(default, 41, X86_64, 38) == ERRNO | errno.EPERM  # AF_ALG
    assert verdict(default, 41, X86_64, 2) == ALLOW  # AF_INET


def test_a_filter_by_halves_says_what_one_after_the_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = program(tmp_path / "halves")
    monkeypatch.setattr(pyseccomp.SyscallFilter, "set_attr", lambda *_: None)
    straight = program(tmp_path / "straight")
    assert halves != straight
    numbers = [*range(-1, 480), *range(0x40000000, 0x40000000 + 480, 7)]
    for architecture in (X86_64, 0x40000003, 0x12345):
        for number in numbers:
            for first in (0, 2, 38, 0x20000, 0x7E020000, 0xFFFFFFFF, 1 << 32):
                if first in (0, 38) or number in (41, 56, 102, 120, 135, 359):
                    said = [verdict(p, number, architecture, first) for p in (halves, straight)]
                    assert said[0] == said[1], (hex(architecture), number, hex(first))


def test_what_is_no_filter_is_refused() -> None:
    with pytest.raises(ValueError, match="0x61"):
        verdict(b"\x61\0" + bytes(6), 0, X86_64)
