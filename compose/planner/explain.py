"""A plan as text, a line a step: what, why, and after what. Pure; tests read it, and --dry-run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compose.planner.steps import Plan, Step


def explain(plan: Plan) -> str:
    """Numbered lines; "nothing to do" for an empty plan."""
    if not plan.steps:
        return "nothing to do"
    numbers = {step.id: number for number, step in enumerate(plan.steps, 1)}
    return "\n".join(line(step, numbers) for step in plan.steps)


def line(step: Step, numbers: dict[str, int]) -> str:
    """ "3. start x-a-1 (was stopped) after 1, 2"."""
    after = sorted(numbers[need] for need in step.needs)
    text = f"{numbers[step.id]}. {step.id}"
    if step.cause:
        text += f" ({step.cause})"
    if after:
        text += f" after {', '.join(map(str, after))}"
    return text
