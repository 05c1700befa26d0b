"""A plan as text: what becomes of each thing and why, then the steps, a line each. Pure."""

from __future__ import annotations

from collections import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from compose.planner.actions import Action
    from compose.planner.steps import Plan, Step

MARKS = {
    "create": "+", "recreate": "~", "start": ">", "restart": ">", "stop": "-", "remove": "-",
    "pull": "<", "build": "*",
}  # fmt: skip
VERBS = ("pull", "build", "create", "recreate", "start", "restart", "stop", "remove")
WIDEST = 100


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


def explain_actions(
    actions: Sequence[Action], changes: Mapping[str, Sequence[Any]], plan: Plan
) -> str:
    """The whole: a summary, the actions with what has changed, the order of steps.

    `changes`: an action's name -> what differs (field, old, new), for what is recreated.
    """
    if not plan.steps:
        return "nothing to do"
    counts = Counter[str](action.verb for action in actions)
    lines = ["To " + ", ".join(f"{verb}: {counts[verb]}" for verb in VERBS if counts[verb]), ""]
    for action in actions:
        lines.append(headline(action))
        lines += [f"      {change_text(one)}" for one in changes.get(action.name, ())]
    lines += ["", "In this order:"]
    lines += [f"  {text}" for text in explain(plan).splitlines()]
    return "\n".join(lines)


def headline(action: Action) -> str:
    """ "~ recreate container x-web-1: image changed  [data may be lost]"."""
    text = f"{MARKS[action.verb]} {action.verb} {action.kind} {action.name}"
    if action.cause:
        text += f": {action.cause}"
    return text + ("  [destructive: its data is lost]" if action.destructive else "")


def change_text(change: Any) -> str:
    """ "environment.A: "1" -> "2""."""
    return f"{change.field}: {value_text(change.old)} -> {value_text(change.new)}"


def value_text(value: str | None) -> str:
    """A value on one line, cut where it is very long."""
    if value is None:
        return "(not set)"
    text = value.replace("\n", "\\n")
    return f'"{text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"}"'
