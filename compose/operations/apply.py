"""Carries a plan out: each step becomes its call, several at once, in the order of their needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from compose.errors import ComposeError, EngineRefusedError
from compose.operations.execute import Executor
from compose.operations.one_call import is_patient, named
from compose.operations.progress import words
from compose.operations.watching import WaitFailedError
from compose.scheduler.run import run_steps

if TYPE_CHECKING:
    from compose.engine_client.transport import Engine
    from compose.operations.progress import Progress
    from compose.operations.world import World
    from compose.planner.steps import Plan, Step
    from compose.scheduler.run import Outcome


async def apply_plan(
    plan: Plan,
    engine: Engine,
    world: World,
    progress: Progress,
    *,
    limit: int | None = None,
    keep_going: bool = False,
) -> Outcome:
    """Carry it out. Raises the error of the step that failed first, after all others have ended."""
    async with trio.open_nursery() as nursery:
        executor = Executor(engine, world, progress, nursery)

        async def execute(step: Step) -> None:
            subject, doing, done = words(step)
            if doing:
                progress.report(subject, doing)
            try:
                said = await executor.execute(step)
            except WaitFailedError:
                raise  # told already, of each container
            except EngineRefusedError as error:
                progress.report(subject, "Error", "error", str(error))
                raise named(subject, error) from error
            except ComposeError as error:
                progress.report(subject, "Error", "error", str(error))
                raise
            if said:
                progress.report(subject, said, "warning")
            elif done:
                progress.report(subject, done, "done")

        outcome = await run_steps(
            plan.steps, execute, limit=limit, is_patient=is_patient, keep_going=keep_going
        )
        nursery.cancel_scope.cancel()
    error = outcome.first_error
    if error is not None:
        raise error
    return outcome
