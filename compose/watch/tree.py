"""Folders watched with one inotify instance, and a snapshot of what was in them when last looked at.

Events only say where to look; what has changed is found by comparing with the snapshot. So nothing
is missed that happened while nobody looked, or when the kernel's queue ran over: then all is
compared. Source: inotify(7).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Self

import trio
from inotify_simple import INotify, flags  # type: ignore[import-untyped]

from compose.errors import ComposeError
from compose.watch.rules import Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MASK = (
    flags.CREATE | flags.DELETE | flags.MODIFY | flags.CLOSE_WRITE | flags.ATTRIB
    | flags.MOVED_FROM | flags.MOVED_TO | flags.DELETE_SELF | flags.MOVE_SELF | flags.EXCL_UNLINK
)  # fmt: skip
#: Seconds without an event after which a batch is whole; and how long a batch may grow.
QUIET, LONGEST = 0.1, 1.0


class Signature(NamedTuple):
    """What changes when a file does."""

    mode: int
    size: int
    mtime_ns: int
    inode: int


class WatchedTree:
    """The roots (folders or files, present or not yet). Use as a context manager."""

    def __init__(self, roots: Sequence[str], skips: Callable[[str], bool]) -> None:
        self._roots = tuple(dict.fromkeys(roots))
        self._skips = skips  # absolute paths that nobody wants to hear of
        self._known: dict[str, Signature] = {}
        self._watches: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._inotify: INotify | None = None
        self._overrun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()

    def begin(self) -> Changes:
        """Watch from now on; returns what has changed since it was last looked at.

        Nothing has, the first time. Raises ComposeError where the host allows no more watches.
        """
        first = not self._known
        try:
            self._inotify = INotify(nonblocking=True)
        except OSError as error:
            raise ComposeError(
                f"cannot watch files: {error.strerror}: raise fs.inotify.max_user_instances"
            ) from error
        changes = self.compare()
        return Changes() if first else changes

    def pause(self) -> None:
        """Stop watching; what was seen is remembered."""
        if self._inotify is not None:
            self._inotify.close()
        self._inotify = None
        self._watches.clear()
        self._numbers.clear()

    def files(self) -> dict[str, int]:
        """All files known, with their time of change in nanoseconds since 1970."""
        return {path: one.mtime_ns for path, one in self._known.items() if not stat.S_ISDIR(one.mode)}  # fmt: skip

    async def wait_changes(self) -> Changes:
        """The next batch that has changed something."""
        assert self._inotify is not None
        while True:
            await trio.lowlevel.wait_readable(self._inotify.fileno())
            dirty = self._take()
            with trio.move_on_after(LONGEST):
                while True:
                    with trio.move_on_after(QUIET) as quiet:
                        await trio.lowlevel.wait_readable(self._inotify.fileno())
                    if quiet.cancelled_caught:
                        break
                    dirty |= self._take()
            if self._overrun:
                self._overrun = False
                changes = await trio.to_thread.run_sync(self.compare)
            else:
                changes = self._look_at(dirty)
            if changes:
                return changes

    def _take(self) -> set[str]:
        """The paths that the waiting events are about."""
        assert self._inotify is not None
        dirty: set[str] = set()
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                self._overrun = True
                continue
            folder = self._watches.get(event.wd)
            if folder is None:
                continue
            if event.mask & flags.IGNORED:
                del self._watches[event.wd]
                self._numbers.pop(folder, None)
                continue
            path = f"{folder.rstrip('/')}/{event.name}" if event.name else folder
            if event.mask & flags.ISDIR and event.mask & (flags.MOVED_FROM | flags.MOVED_TO):
                self._unwatch(path)
            dirty.add(path)
        return dirty

    def compare(self) -> Changes:
        """Everything as it is beside what is known; watches are put where they are missing."""
        now: dict[str, Signature] = {}
        for root in self._roots:
            self._watch_way_to(root)
            now.update(self._walk(root))
        return self._settle(now, set(self._known))

    def _look_at(self, dirty: set[str]) -> Changes:
        """The same for these paths and what is below them."""
        now: dict[str, Signature] = {}
        before: set[str] = set()
        for path in dirty:
            for root in self._roots:
                if root == path or root.startswith(path.rstrip("/") + "/"):
                    # It, or a folder on the way to it, has come or gone.
                    self._watch_way_to(root)
                    now.update(self._walk(root))
                    before |= self._below(root)
            if any(path.startswith(root.rstrip("/") + "/") for root in self._roots):
                known = self._known.get(path)
                found = dict(self._walk(path, deep=known is None or not stat.S_ISDIR(known.mode)))
                now.update(found)
                if found and known is not None and stat.S_ISDIR(known.mode):
                    before.add(path)  # only itself: its entries have events of their own
                else:
                    before |= self._below(path)
        return self._settle(now, before)

    def _settle(self, now: dict[str, Signature], before: set[str]) -> Changes:
        changed = {
            path
            for path, one in now.items()
            if (old := self._known.get(path)) is None
            or (old != one if not stat.S_ISDIR(one.mode) else not stat.S_ISDIR(old.mode))
        }
        gone = before - now.keys()
        for path in gone:
            del self._known[path]
        self._known.update(now)
        tops = {path for path in gone if path.rpartition("/")[0] not in gone}
        return Changes(frozenset(changed), frozenset(tops))

    def _below(self, path: str) -> set[str]:
        """The known paths that are this one, or below it."""
        known = self._known.get(path)
        if known is None or not stat.S_ISDIR(known.mode):
            return {path} if known is not None else set()
        prefix = path.rstrip("/") + "/"
        return {one for one in self._known if one == path or one.startswith(prefix)}

    def _walk(self, top: str, *, deep: bool = True) -> Iterator[tuple[str, Signature]]:
        """The path, and what is below it; folders are watched before they are read."""
        waiting = [top]
        while waiting:
            path = waiting.pop()
            if self._skips(path):
                continue
            try:
                found = os.lstat(path)
            except OSError:
                continue
            yield path, Signature(found.st_mode, found.st_size, found.st_mtime_ns, found.st_ino)
            if not stat.S_ISDIR(found.st_mode) or not (deep or path != top):
                continue
            self._watch(path)
            try:
                waiting += [f"{path.rstrip('/')}/{name}" for name in os.listdir(path)]  # noqa: PTH208
            except OSError:
                continue

    def _watch_way_to(self, root: str) -> None:
        """Watch the folder that a root is in; of one that is not there yet, the nearest that is."""
        folder = os.path.dirname(root) or "/"  # noqa: PTH120
        while not os.path.isdir(folder) and folder != "/":  # noqa: PTH112
            folder = os.path.dirname(folder)  # noqa: PTH120
        self._watch(folder)

    def _watch(self, folder: str) -> None:
        if self._inotify is None or folder in self._numbers:
            return
        try:
            number = self._inotify.add_watch(folder, MASK | flags.ONLYDIR)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ComposeError(
                f"cannot watch {folder}: {error.strerror}: raise fs.inotify.max_user_watches "
                "or ignore large folders"
            ) from error
        self._watches[number] = folder
        self._numbers[folder] = number

    def _unwatch(self, top: str) -> None:
        """Forget the watches of a folder that was moved: they are of its new place."""
        assert self._inotify is not None
        prefix = top.rstrip("/") + "/"
        for folder in [one for one in self._numbers if one == top or one.startswith(prefix)]:
            number = self._numbers.pop(folder)
            self._watches.pop(number, None)
            try:
                self._inotify.rm_watch(number)
            except OSError:
                pass  # it is gone with its folder
