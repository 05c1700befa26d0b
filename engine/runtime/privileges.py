"""Giving up what a container's process must not have: capabilities, limits, groups, identity.

Rules: the order matters and is written once, in `drop_to`. What the engine itself lacks cannot be
given: capabilities were cut, and limits refused, when the spec was compiled.
Sources: capabilities(7), credentials(7), setrlimit(2).
"""

from __future__ import annotations

import errno
import os
import resource
from typing import TYPE_CHECKING

from engine.host import CAPABILITY_NAMES, RLIMITS
from engine.runtime import syscalls as sc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.runtime.identity import Identity
    from engine.runtime.spec import Capabilities, Process, Rlimit

#: Capability numbers by name.
NUMBERS = {name: number for number, name in enumerate(CAPABILITY_NAMES)}


def mask_of(names: Iterable[str]) -> int:
    """The 64-bit mask of some capability names."""
    bits = 0
    for name in names:
        bits |= 1 << NUMBERS[name]
    return bits


def set_rlimits(limits: Iterable[Rlimit]) -> None:
    """Set resource limits. Raises OSError that names the one which the kernel refuses."""
    for limit in limits:
        soft = resource.RLIM_INFINITY if limit.soft < 0 else limit.soft
        hard = resource.RLIM_INFINITY if limit.hard < 0 else limit.hard
        try:
            resource.setrlimit(RLIMITS[limit.name], (soft, hard))
        except (OSError, ValueError) as error:
            raise OSError(
                errno.EPERM, f"cannot set the ulimit {limit.name} to {soft}:{hard}: {error}"
            ) from error


def drop_to(process: Process, who: Identity, seccomp: bytes) -> None:
    """Become `who` with the process's capabilities and system call filter; never to be undone.

    Without no_new_privileges a filter needs CAP_SYS_ADMIN, so it comes before the capabilities go.
    """
    if process.no_new_privileges:
        sc.prctl(sc.PR_SET_NO_NEW_PRIVS, 1)
    elif seccomp:
        sc.seccomp_load(seccomp)
    capabilities = process.capabilities
    _cut_bounding_set(capabilities)
    sc.prctl(sc.PR_SET_KEEPCAPS, 1)
    os.setgroups(who.groups)
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    sc.prctl(sc.PR_SET_KEEPCAPS, 0)
    _set_capabilities(capabilities, root=who.uid == 0)
    if process.no_new_privileges and seccomp:
        sc.seccomp_load(seccomp)


def _cut_bounding_set(capabilities: Capabilities) -> None:
    kept = mask_of(capabilities.bounding)
    for number in range(64):
        if not kept >> number & 1:
            try:
                sc.prctl(sc.PR_CAPBSET_DROP, number)  # one that is not there is no error
            except OSError as error:
                if error.errno == errno.EINVAL:  # past the kernel's last capability
                    return
                raise


def _set_capabilities(capabilities: Capabilities, *, root: bool) -> None:
    effective = mask_of(capabilities.effective) if root else mask_of(capabilities.ambient)
    permitted = mask_of(capabilities.permitted) if root else mask_of(capabilities.ambient)
    sc.capset(effective, permitted, mask_of(capabilities.inheritable))
    sc.prctl(sc.PR_CAP_AMBIENT, sc.PR_CAP_AMBIENT_CLEAR_ALL)
    for name in capabilities.ambient:
        sc.prctl(sc.PR_CAP_AMBIENT, sc.PR_CAP_AMBIENT_RAISE, NUMBERS[name])
