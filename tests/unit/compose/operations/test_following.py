"""Lines of several containers are written in order of time, also those that come after an end was told."""

from __future__ import annotations

import trio
import trio.testing

from compose.operations.following import OrderedLines


class Written:
    def __init__(self) -> None:
        self.said: list[str] = []

    def register(self, source: str, service: str) -> None:
        pass

    def line(self, source: str, text: str, *, is_error: bool = False) -> None:
        self.said.append(f"{source}: {text}")

    def status(self, source: str, text: str) -> None:
        self.said.append(f"{source} {text}")

    def flush(self) -> None:
        pass


async def test_what_comes_after_an_end_is_written_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    written = Written()
    lines = OrderedLines(written, timestamps=False)  # type: ignore[arg-type]  # as much of it as is used
    async with trio.open_nursery() as nursery:
        await nursery.start(lines.run)
        await trio.testing.wait_all_tasks_blocked()
        lines.line("b", "2026-11-25T00:00:02.0Z second")
        lines.line("a", "2026-11-25T00:00:01.0Z first")
        lines.status("a", "exited with code 0")
        lines.line("a", "2026-11-25T00:00:03.0Z third")
        await trio.sleep(1)
        lines.line("a", "2026-11-25T00:00:04.0Z fourth")
        await trio.sleep(1)
        assert written.said == [
            "a: first", "b: second", "a exited with code 0", "a: third", "a: fourth",
        ]  # fmt: skip
        nursery.cancel_scope.cancel()
