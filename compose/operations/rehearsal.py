"""--dry-run: what would be done, as it would be reported, and the plan with its causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.operations.progress import words
from compose.planner.explain import explain
from compose.planner.steps import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compose.operations.session import Session


def rehearse(session: Session, plans: Sequence[Plan]) -> int:
    """Say what would be done, and why."""
    whole = Plan(tuple(step for plan in plans for step in plan.steps))
    report_steps(session, whole)
    session.out.write(explain(whole) + "\n")
    return 0


def report_steps(session: Session, plan: Plan) -> None:
    """Report each step as it would be reported if it were done."""
    for step in plan.steps:
        subject, doing, done = words(step)
        for word, kind in ((doing, "working"), (done, "done")):
            if word:
                session.lines.report(subject, word, kind)  # type: ignore[arg-type]
