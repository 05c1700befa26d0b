"""Rolling updates watched: failures counted against what is tolerated, and an update taken back.

Source: the Compose Specification, deploy.update_config; Docker's documentation of service updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from compose.operations.last_words import last_words
from compose.operations.watching import UpdateFailedError, WaitFailedError

if TYPE_CHECKING:
    from compose.engine_client.transport import Engine
    from compose.errors import ComposeError
    from compose.operations.one_call import OneCall
    from compose.operations.progress import Progress
    from compose.operations.watching import ContainerWatch
    from compose.planner.steps import StartContainer, WatchUpdate


class Updates:
    """The updates of one plan: how many of each service's containers have failed so far."""

    def __init__(self, engine: Engine, one_call: OneCall, progress: Progress) -> None:
        self._engine = engine
        self._one_call = one_call
        self._progress = progress
        self._failures: dict[str, int] = {}
        self._not_started: dict[str, ComposeError] = {}

    def note(self, step: StartContainer, error: ComposeError) -> None:
        """A container did not even start; its watch will count it."""
        self._not_started[step.name] = error

    async def watch(self, watching: ContainerWatch, step: WatchUpdate) -> None:
        """Until the batch has shown that it is good. Raises UpdateFailedError for too many failures."""
        failed: dict[str, ComposeError] = {}
        async with trio.open_nursery() as nursery:
            for name, ref in step.containers:
                if name in self._not_started:
                    failed[name] = self._not_started[name]
                else:
                    nursery.start_soon(self._watch_one, watching, step, (name, ref), failed)
        if not failed:
            return
        for name, error in failed.items():
            if isinstance(error, WaitFailedError) and error.ref:
                for line in await last_words(self._engine, error.ref):
                    self._progress.quote(name, line)
            self._progress.report(f"Container {name}", "Error", "error", str(error))
        count = self._failures[step.service] = self._failures.get(step.service, 0) + len(failed)
        name, first = next(iter(failed.items()))
        text = str(first) if name in str(first) else f"container {name}: {first}"
        if step.tolerated is None or count <= step.tolerated:
            self._progress.warn(
                f"update of service {step.service}: {text}: it goes on all the same"
            )
            return
        raise UpdateFailedError(
            f"update of service {step.service} failed: {text}",
            service=step.service, rollback=step.rollback,
        )  # fmt: skip

    async def _watch_one(
        self,
        watching: ContainerWatch,
        step: WatchUpdate,
        container: tuple[str, str],
        failed: dict[str, ComposeError],
    ) -> None:
        name, ref = container
        found = self._one_call.ref(ref)
        self._progress.report(f"Container {name}", "Waiting")
        try:
            await watching.wait_until(found, "running_or_healthy", name)
            with trio.move_on_after(step.seconds):
                await watching.wait_failure(found, name)
        except WaitFailedError as error:
            failed[name] = error
        else:
            self._progress.report(f"Container {name}", "Healthy", "done")
