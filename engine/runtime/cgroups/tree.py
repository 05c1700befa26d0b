"""A container's cgroup in every hierarchy that has something to do: made, joined, killed, removed.

Rules: the unified hierarchy, where there is one, tracks and kills; of v1's hierarchies only those
that carry a limit are joined, since each join waits for the kernel. Paths come from the spec; the
machine's own cgroups are never written. Sources: cgroups(7), the kernel's cgroup-v1 and cgroup-v2.
"""

from __future__ import annotations

import errno
import os
import select
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime.cgroups.devices import attach_device_filter
from engine.runtime.cgroups.limits import writes_v1, writes_v2
from engine.runtime.spec import Cgroup

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from engine.runtime.cgroups.limits import Write
    from engine.runtime.spec import DeviceRule

MOUNT = "/sys/fs/cgroup"
V2_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")


@dataclass(frozen=True, slots=True)
class Made:
    """A cgroup with its limits: `folders` are v1's, to be joined."""

    folders: tuple[str, ...]
    warnings: tuple[str, ...]

    def join(self) -> None:
        """Move this process into the v1 hierarchies; the unified one is joined at birth."""
        join(self.folders)


def join(folders: Iterable[str]) -> None:
    """Move this process into some v1 hierarchies."""
    for folder in folders:
        _write(f"{folder}/cgroup.procs", "0")


def unified_mount(mode: str) -> str:
    """Where the v2 hierarchy is mounted, "" under plain v1."""
    return {"v2": MOUNT, "hybrid": f"{MOUNT}/unified"}.get(mode, "")


def make_unified(cgroup: Cgroup) -> str:
    """Make the cgroup's folder in the v2 hierarchy, "" without one: to be born into."""
    top = unified_mount(cgroup.mode)
    if not top:
        return ""
    _make_fresh(f"{top}/{cgroup.path}")
    return f"{top}/{cgroup.path}"


def create(cgroup: Cgroup) -> Made:
    """Set the limits, and make v1's folders for them; the unified one is there.

    Raises OSError; a missing controller is a warning.
    """
    warnings: list[str] = []
    top = unified_mount(cgroup.mode)
    unified = f"{top}/{cgroup.path}" if top else ""
    if cgroup.mode == "v2":
        _delegate(top, cgroup.path)
        for write in writes_v2(cgroup.limits):
            _set(unified, write, warnings)
        attach_device_filter(unified, cgroup.devices)
        return Made((), tuple(warnings))
    folders: dict[str, None] = {}
    for write in writes_v1(cgroup.limits):
        folder = f"{MOUNT}/{write.controller}/{cgroup.path}"
        if folder not in folders and _is_mounted(write.controller):
            _make_v1(folder, write.controller)
            folders[folder] = None
        _set(folder, write, warnings)
    if cgroup.devices and _is_mounted("devices"):
        folder = f"{MOUNT}/devices/{cgroup.path}"
        _make_v1(folder, "devices")
        folders[folder] = None
        _write_rules(folder, cgroup.devices)
    elif cgroup.devices and unified:
        attach_device_filter(unified, cgroup.devices)
    elif cgroup.devices:
        warnings.append("this kernel has no devices controller: device rules are not in effect")
    return Made(tuple(folders), tuple(warnings))


def _write_rules(folder: str, rules: Iterable[DeviceRule]) -> None:
    """One after the other, in order: each is a write of its own."""
    fds: dict[str, int] = {}
    try:
        for rule in rules:
            name = "devices.allow" if rule.allow else "devices.deny"
            if name not in fds:
                fds[name] = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(fds[name], device_line(rule).encode())
    finally:
        for fd in fds.values():
            os.close(fd)


def update(cgroup: Cgroup) -> tuple[str, ...]:
    """Set the limits of a cgroup that has processes; warnings. Raises OSError for what cannot be.

    Of v1's hierarchies, one that had no limit before is joined now, by every process.
    """
    warnings: list[str] = []
    top = unified_mount(cgroup.mode)
    if cgroup.mode == "v2":
        for write in writes_v2(cgroup.limits):
            _set(f"{top}/{cgroup.path}", write, warnings)
        return tuple(warnings)
    joining: list[str] = []
    late: list[tuple[str, Write]] = []
    for write in writes_v1(cgroup.limits):
        folder = f"{MOUNT}/{write.controller}/{cgroup.path}"
        if _is_mounted(write.controller) and not os.path.isdir(folder):
            _make_v1(folder, write.controller)
            joining.append(folder)
        try:
            _set(folder, write, warnings)
        except OSError:  # memory may not pass memory and swap, whichever is written first
            if write.controller != "memory":
                raise
            late.append((folder, write))
    for folder, write in late:
        _set(folder, write, warnings)
    _join_all(cgroup, joining)
    return tuple(warnings)


def _join_all(cgroup: Cgroup, folders: list[str]) -> None:
    done: set[int] = set()
    while folders and (new := set(processes(cgroup)) - done):
        for pid in new:
            for folder in folders:
                try:
                    _write(f"{folder}/cgroup.procs", str(pid))
                except ProcessLookupError:
                    continue  # it has ended
        done |= new  # what they have forked meanwhile is in the next round


def _is_mounted(controller: str) -> bool:
    # In a tmpfs, where v1 has its mount points, making folders for a hierarchy would succeed.
    return os.path.exists(f"{MOUNT}/{controller}/cgroup.procs")


def device_line(rule: DeviceRule) -> str:
    """A rule in the words of devices.allow: "c 1:3 rwm"."""
    major = "*" if rule.major is None else rule.major
    minor = "*" if rule.minor is None else rule.minor
    return "a" if rule.kind == "a" else f"{rule.kind} {major}:{minor} {rule.access}"


def limiting_folders(cgroup: Cgroup) -> list[str]:
    """v1's folders of this cgroup, which a further process must join."""
    top = unified_mount(cgroup.mode)
    if cgroup.mode == "v2":
        return []
    return [folder for folder in folders_of(cgroup) if not top or not folder.startswith(top)]


def folders_of(cgroup: Cgroup) -> list[str]:
    """Every folder of this cgroup that exists now."""
    found = [f"{top}/{cgroup.path}" for top in _tops(cgroup.mode)]
    real = {os.path.realpath(folder) for folder in found if os.path.isdir(folder)}
    return sorted(real)


def processes(cgroup: Cgroup) -> list[int]:
    """The pids in the cgroup and below, by the hierarchy that tracks."""
    pids: set[int] = set()
    for folder in _tracking(cgroup):
        for path, _, _ in os.walk(folder):
            try:
                with open(f"{path}/cgroup.procs") as lines:
                    pids.update(int(line) for line in lines)
            except FileNotFoundError:
                continue
    return sorted(pids)


def kill_all(cgroup: Cgroup) -> None:
    """SIGKILL every process of the cgroup, frozen ones too."""
    top = unified_mount(cgroup.mode)
    if top and os.path.exists(f"{top}/{cgroup.path}/cgroup.kill"):
        _write(f"{top}/{cgroup.path}/cgroup.kill", "1")
        return
    for pid in processes(cgroup):
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue
    if not top and _freezer_state(cgroup) not in ("", "THAWED"):
        _freeze_v1(cgroup, frozen=False)  # v1's frozen do not even die


def remove(cgroup: Cgroup, patience: float = 2.0) -> None:
    """Remove the cgroup's folders; waits up to `patience` seconds for dying processes to be gone."""
    deadline = time.monotonic() + patience
    for top in _tops(cgroup.mode):
        try:
            os.rmdir(f"{top}/{cgroup.path}")
        except FileNotFoundError:
            continue
        except OSError:  # in use, or there are others in it
            _remove_tree(f"{top}/{cgroup.path}", deadline)


def _remove_tree(top: str, deadline: float) -> None:
    for folder, _, _ in os.walk(top, topdown=False):
        while True:
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError:
                if time.monotonic() < deadline:
                    time.sleep(0.002)  # no event tells that a cgroup has emptied under v1
                    continue
            break


def _tops(mode: str) -> list[str]:
    """Where a cgroup may have folders; a hierarchy may be there under several names."""
    return [MOUNT] if mode == "v2" else [f"{MOUNT}/{name}" for name in sorted(os.listdir(MOUNT))]


def remove_parent(mode: str, path: str) -> None:
    """Remove the folder that an engine's containers had theirs in, wherever it is empty."""
    for top in _tops(mode):
        try:
            os.rmdir(f"{top}/{path}")
        except OSError:
            continue  # not there, or in use


def sweep(mode: str, path: str, keep: Collection[str]) -> None:
    """Below an engine's folder, end and remove the cgroups whose names are not in `keep`."""
    found = {name for top in _tops(mode) for name in _folders(f"{top}/{path}")}
    for name in sorted(found - set(keep)):
        cgroup = Cgroup(mode, f"{path}/{name}")  # type: ignore[arg-type]  # one of three words
        kill_all(cgroup)
        remove(cgroup)


def _folders(path: str) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def freeze(cgroup: Cgroup, *, frozen: bool) -> None:
    """Freeze or thaw every process; returns when the kernel says it is so (or after 10 seconds).

    Raises OSError; FileNotFoundError where the cgroup is gone.
    """
    top = unified_mount(cgroup.mode)
    if not top:
        _freeze_v1(cgroup, frozen=frozen)
        return
    folder = f"{top}/{cgroup.path}"
    _write(f"{folder}/cgroup.freeze", "1" if frozen else "0")
    wanted = f"frozen {int(frozen)}"
    deadline = time.monotonic() + 10
    with open(f"{folder}/cgroup.events") as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)  # each change of the file (cgroup-v2.rst)
        while wanted not in events.read().splitlines() and time.monotonic() < deadline:
            poll.poll(1000)
            events.seek(0)


def _freeze_v1(cgroup: Cgroup, *, frozen: bool) -> None:
    """The same by v1's freezer, whose hierarchy is joined when it is first needed.

    It has no event, and what forks meanwhile may leave it FREEZING until told once more
    (the kernel's cgroup-v1/freezer-subsystem).
    """
    if not _is_mounted("freezer"):
        raise OSError(errno.ENOTSUP, "this host has no freezer cgroup")
    folder = f"{MOUNT}/freezer/{cgroup.path}"
    if not os.path.isdir(folder):
        if not processes(cgroup):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
        _make_v1(folder, "freezer")
        _join_all(cgroup, [folder])
    state = "FROZEN" if frozen else "THAWED"
    deadline = time.monotonic() + 10
    while True:
        _write(f"{folder}/freezer.state", state)
        if _freezer_state(cgroup) == state or time.monotonic() > deadline:
            return
        time.sleep(0.002)  # v1 has no event for it


def _freezer_state(cgroup: Cgroup) -> str:
    try:
        with open(f"{MOUNT}/freezer/{cgroup.path}/freezer.state") as line:
            return line.read().strip()
    except OSError:
        return ""


def is_frozen(cgroup: Cgroup) -> bool:
    """Whether the processes are frozen now."""
    top = unified_mount(cgroup.mode)
    if not top:
        return _freezer_state(cgroup) == "FROZEN"
    try:
        with open(f"{top}/{cgroup.path}/cgroup.events") as lines:
            return "frozen 1" in lines.read().splitlines()
    except OSError:
        return False


def oom_kills(cgroup: Cgroup) -> int:
    """How often the kernel's OOM killer struck in this cgroup."""
    name = "memory.events" if cgroup.mode == "v2" else "memory.oom_control"
    top = MOUNT if cgroup.mode == "v2" else f"{MOUNT}/memory"
    try:
        with open(f"{top}/{cgroup.path}/{name}") as lines:
            fields = dict(line.split() for line in lines)
    except OSError:
        return 0
    return int(fields.get("oom_kill", 0))


def _tracking(cgroup: Cgroup) -> list[str]:
    top = unified_mount(cgroup.mode)
    return [f"{top}/{cgroup.path}"] if top else folders_of(cgroup)


def _make_fresh(folder: str) -> None:
    # A cgroup that was killed kills whatever is cloned into it, so it is never used twice.
    try:
        os.makedirs(folder, 0o755)
    except FileExistsError:
        os.rmdir(folder)
        os.mkdir(folder, 0o755)


def _make_v1(folder: str, controller: str) -> None:
    os.makedirs(folder, 0o755, exist_ok=True)
    if controller == "cpuset":
        _inherit_cpuset(folder)


def _inherit_cpuset(folder: str) -> None:
    parts = folder[len(MOUNT) + 1 :].split("/")
    above = f"{MOUNT}/{parts[0]}"
    for part in parts[1:]:
        here = f"{above}/{part}"
        for file in ("cpuset.cpus", "cpuset.mems"):
            with open(f"{here}/{file}") as stream:
                empty = not stream.read().strip()
            if empty:
                with open(f"{above}/{file}") as stream:
                    _write(f"{here}/{file}", stream.read().strip())
        above = here


def _delegate(top: str, path: str) -> None:
    with open(f"{top}/cgroup.controllers") as stream:
        there = stream.read().split()
    wanted = " ".join(f"+{name}" for name in V2_CONTROLLERS if name in there)
    folder = top
    for part in path.split("/"):
        try:
            _write(f"{folder}/cgroup.subtree_control", wanted)
        except OSError:
            pass  # what is missing for a limit shows as a warning when the limit is set
        folder = f"{folder}/{part}"


def _set(folder: str, write: Write, warnings: list[str]) -> None:
    """Raises OSError that says which limit the kernel refused."""
    file, value = write.file, write.value
    if write.instead and not os.path.exists(f"{folder}/{file}"):
        file, value = write.instead
    try:
        _write(f"{folder}/{file}", value)
    except FileNotFoundError:
        warnings.append(f"this kernel has no {file}: the limit {value} is not in effect")
    except OSError as error:
        raise OSError(
            error.errno, f"the kernel refuses the limit {value} for {file}: {error.strerror}"
        ) from error


def _write(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
