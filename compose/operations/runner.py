"""The concurrent part of a use case: one trio run, ended by Ctrl-C or SIGTERM, an engine in hand."""

from __future__ import annotations

import gc
import signal
from typing import TYPE_CHECKING

import trio

from compose.engine_client.transport import Engine
from compose.errors import InterruptedByUserError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from compose.engine_client.endpoint import Endpoint


def run_main(
    endpoint: Endpoint,
    version: tuple[int, int],
    main: Callable[[Engine], Awaitable[int]],
    *,
    signals: bool = True,
) -> int:
    """Run `main` to its end and return its exit code.

    Raises what it raises, a single error out of its group, or InterruptedByUserError.
    """
    gc.freeze()
    gc.enable()  # switched off for the start of the process; this may run for days
    return trio.run(_supervise, Engine(endpoint, version), main, signals)


async def _supervise(
    engine: Engine,
    main: Callable[[Engine], Awaitable[int]],
    signals: bool,  # noqa: FBT001  # trio.run passes by position
) -> int:
    try:
        return await (with_interrupts(main, engine) if signals else main(engine))
    except BaseExceptionGroup as group:
        raise first_of(group) from None
    finally:
        with trio.CancelScope(shield=True):
            await engine.aclose()


async def with_interrupts(main: Callable[[Engine], Awaitable[int]], engine: Engine) -> int:
    """Cancel `main` at the first signal; at the second the process ends as if nobody listened."""
    interrupted = False
    code = 1
    async with trio.open_nursery() as nursery:

        async def listen(task_status: trio.TaskStatus[None]) -> None:
            nonlocal interrupted
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for _ in signals:
                    interrupted = True
                    nursery.cancel_scope.cancel()
                    signal.signal(signal.SIGINT, signal.SIG_DFL)
                    return

        await nursery.start(listen)
        code = await main(engine)
        nursery.cancel_scope.cancel()
    if interrupted:
        raise InterruptedByUserError
    return code


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first real error in a nursery's group."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return first_of(error)
        return error
    return group
