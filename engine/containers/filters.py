"""Compiled system call filters: found, or made in a thread, for libseccomp takes its 20 ms."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio

from engine.runtime.seccomp import compiled_profile, profile_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from engine.host import HostFacts
    from engine.storage.paths import Layout


class Filters:
    """The filters of one engine, by what they let through."""

    def __init__(self, layout: Layout, host: HostFacts) -> None:
        self._cache = str(layout.seccomp_cache)
        self._machine = host.machine

    async def path(
        self, capabilities: Iterable[str], custom: Mapping[str, Any] | None = None
    ) -> str:
        """Where the program for these capabilities is; "" where none works on this machine.

        `custom` is a profile in Docker's JSON format. Raises InvalidRequestError for one that is broken.
        """
        held = sorted(capabilities)
        path = profile_path(held, self._machine, self._cache, custom)
        if path and not _is_there(path):
            await trio.to_thread.run_sync(
                compiled_profile, held, self._machine, self._cache, custom
            )
        return path


def _is_there(path: str) -> bool:
    return os.path.exists(path)
