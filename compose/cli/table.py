"""Columns as Go's tabwriter sets them, which docker compose's tables are made with. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], minimum: int = 10, padding: int = 3) -> str:
    """Lines of aligned cells; the last cell of a line is not padded."""
    columns = max((len(row) for row in rows), default=0)
    widths = [
        max([minimum, *(len(row[at]) + padding for row in rows if at < len(row) - 1)])
        for at in range(columns)
    ]
    return "".join(
        "".join(f"{cell:<{widths[at]}}" for at, cell in enumerate(row[:-1])) + row[-1] + "\n"
        for row in rows
    )
