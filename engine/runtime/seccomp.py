"""System call filters: profiles compiled to BPF once, on the engine's side, cached by content.

The forked side only loads the bytes with seccomp(2). Compiling goes through libseccomp; ours are the
default profile and the reading of Docker's profile.json. Source: seccomp(2), seccomp_rule_add(3).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.errors import InvalidRequestError
from engine.runtime import seccomp_profile as profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Bumped when the compilation changes, so that cached programs are made anew.
EDITION = 3
_ARCHES = {"x86_64": ("x86_64", "x86", "x32"), "aarch64": ("aarch64", "arm")}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_OPERATORS = {
    "SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6, "SCMP_CMP_MASKED_EQ": 7,
}  # fmt: skip


def profile_path(
    capabilities: Iterable[str], machine: str, cache: str, custom: Mapping[str, Any] | None = None
) -> str:
    """Where the compiled program for a container with these capabilities is kept; "" where none works.

    `custom` is a profile in Docker's JSON format.
    """
    if machine not in _ARCHES:
        return ""
    key = json.dumps([EDITION, machine, sorted(capabilities), custom], sort_keys=True)
    return f"{cache}/{hashlib.sha256(key.encode()).hexdigest()[:32]}.bpf"


def compiled_profile(
    capabilities: Iterable[str], machine: str, cache: str, custom: Mapping[str, Any] | None = None
) -> str:
    """The same path, with the program there: compiled if need be, in some 20 ms.

    Raises InvalidRequestError for a custom profile that is broken.
    """
    held = sorted(capabilities)
    path = profile_path(held, machine, cache, custom)
    if path and not os.path.exists(path):
        program = (
            _compile_custom(custom, held, machine) if custom else _compile_default(held, machine)
        )
        os.makedirs(cache, 0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache, suffix=".tmp", delete=False) as stream:
            stream.write(program)
        os.replace(stream.name, path)
    return path


def _compile_default(capabilities: list[str], machine: str) -> bytes:
    import pyseccomp as scmp

    table = _new_filter(scmp, machine, scmp.ERRNO(errno.EPERM))
    names = set(profile.ALLOWED)
    for capability in capabilities:
        names.update(profile.BY_CAPABILITY.get(capability, ()))
    for name in sorted(names):
        _add(table, scmp.ALLOW, name)
    if "SYS_ADMIN" not in capabilities:
        _add(table, scmp.ALLOW, "clone", scmp.Arg(0, scmp.MASKED_EQ, profile.CLONE_NAMESPACES, 0))
        _add(table, scmp.ERRNO(errno.ENOSYS), "clone3")
    for value in profile.PERSONALITIES:
        _add(table, scmp.ALLOW, "personality", scmp.Arg(0, scmp.EQ, value))
    low, high = profile.REFUSED_FAMILIES
    _add(table, scmp.ALLOW, "socket", scmp.Arg(0, scmp.LT, low))
    _add(table, scmp.ALLOW, "socket", scmp.Arg(0, scmp.GT, low), scmp.Arg(0, scmp.LT, high))
    _add(table, scmp.ALLOW, "socket", scmp.Arg(0, scmp.GT, high))
    return _newer_calls(machine) + _hidden_sockets(machine) + _export(table)


def _compile_custom(document: Mapping[str, Any], capabilities: list[str], machine: str) -> bytes:
    import pyseccomp as scmp

    try:
        default = _action(scmp, document["defaultAction"], document.get("defaultErrnoRet"))
        table = _new_filter(scmp, machine, default)
        for rule in document.get("syscalls") or ():
            if not _applies(rule, capabilities, machine):
                continue
            action = _action(scmp, rule["action"], rule.get("errnoRet"))
            if action == default:
                continue
            conditions = [
                scmp.Arg(
                    arg["index"],
                    _OPERATORS[arg["op"]],
                    arg["value"],
                    *([arg.get("valueTwo", 0)] if arg["op"] == "SCMP_CMP_MASKED_EQ" else []),
                )
                for arg in rule.get("args") or ()
            ]
            for name in rule.get("names") or [rule["name"]]:
                _add(table, action, name, *conditions)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequestError(
            f"invalid seccomp profile: {type(error).__name__} {error}"
        ) from error
    return _export(table)


def _applies(rule: Mapping[str, Any], capabilities: list[str], machine: str) -> bool:
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[machine]

    def caps(condition: Mapping[str, Any]) -> list[bool]:
        return [name.removeprefix("CAP_") in capabilities for name in condition.get("caps") or ()]

    if not all(caps(includes)) or (includes.get("arches") and arch not in includes["arches"]):
        return False
    return not any(caps(excludes)) and arch not in (excludes.get("arches") or ())


def _action(scmp: Any, name: str, number: int | None) -> int:
    actions: dict[str, int] = {
        "SCMP_ACT_ALLOW": scmp.ALLOW,
        "SCMP_ACT_ERRNO": scmp.ERRNO(errno.EPERM if number is None else number),
        "SCMP_ACT_KILL": scmp.KILL,
        "SCMP_ACT_KILL_THREAD": scmp.KILL,
        "SCMP_ACT_KILL_PROCESS": scmp.KILL_PROCESS,
        "SCMP_ACT_TRAP": scmp.TRAP,
        "SCMP_ACT_LOG": scmp.LOG,
        "SCMP_ACT_TRACE": scmp.TRACE(0 if number is None else number),
    }
    return actions[name]


def _new_filter(scmp: Any, machine: str, default: int) -> Any:
    table = scmp.SyscallFilter(default)
    native = {"x86_64": scmp.Arch.X86_64, "aarch64": scmp.Arch.AARCH64}[machine]
    others = {
        "x86_64": (scmp.Arch.X86, scmp.Arch.X32),
        "aarch64": (scmp.Arch.ARM,),
    }[machine]
    for arch in (native, *others):
        if not table.exist_arch(arch):
            table.add_arch(arch)
    # By halves instead of one after the other: the kernel, which asks a new filter about every call
    # there is, then has it loaded in a third of the time (libseccomp 2.5).
    with suppress(RuntimeError, ValueError, OSError):  # an older one
        table.set_attr(scmp.Attr.CTL_OPTIMIZE, 2)
    return table


def _add(table: Any, action: int, name: str, *conditions: Any) -> None:
    try:
        table.add_rule(action, name, *conditions)
    except (RuntimeError, ValueError, OSError):
        pass  # this libseccomp does not know the call: it stays refused


def _export(table: Any) -> bytes:
    with tempfile.TemporaryFile() as stream:
        table.export_bpf(stream)
        stream.seek(0)
        return stream.read()


def _newer_calls(machine: str) -> bytes:
    """A prologue: calls of the native architecture that are newer than the table answer ENOSYS."""
    return b"".join(
        (
            _instruction(0x20, 0, 0, 4),  # load the architecture
            _instruction(0x15, 0, 4, _AUDIT_ARCH[machine]),
            _instruction(0x20, 0, 0, 0),  # load the number
            _instruction(0x35, 2, 0, 0x40000000),  # x32's numbers are not meant
            _instruction(0x25, 0, 1, profile.NEWEST[machine]),
            _instruction(0x06, 0, 0, 0x00050000 | errno.ENOSYS),
        )
    )


def _hidden_sockets(machine: str) -> bytes:
    """A prologue: no socket through i386's socketcall(2), whose families no filter can see.

    32-bit programs have had socket(2) itself since Linux 4.3; the other calls in it stay.
    """
    if machine != "x86_64":
        return b""
    return b"".join(
        (
            _instruction(0x20, 0, 0, 4),  # load the architecture
            _instruction(0x15, 0, 5, 0x40000003),  # i386
            _instruction(0x20, 0, 0, 0),  # load the number
            _instruction(0x15, 0, 3, 102),  # socketcall
            _instruction(0x20, 0, 0, 16),  # load its first argument
            _instruction(0x15, 0, 1, 1),  # SYS_SOCKET
            _instruction(0x06, 0, 0, 0x00050000 | errno.EPERM),
        )
    )


def _instruction(code: int, true: int, false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, true, false, value)
