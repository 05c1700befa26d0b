"""Trees of a Compose file, the paths into them, and rules keyed by path pattern.

A tree is what YAML gives: dicts with string keys, lists and scalars. A path is a tuple of keys and
list indexes. A pattern is a dotted path in which `*` stands for any key or index; spec knowledge sits
in tables of patterns, so a new attribute is one line.

Rules: a phase never changes the tree it is given; it returns a new one (sharing what it left alone).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

_TYPES = {
    type(None): "null", dict: "a mapping", list: "a list", str: "a string", bool: "a boolean",
    int: "an integer",
}  # fmt: skip


class FaultError(Exception):
    """A phase found something wrong at `path`; the assembly says in which file and line.

    `missing` are the paths whose absence is the fault, any of which would do; `meant` is what should
    stand there instead of the path. `others` are the faults that the phase found beside this one.
    """

    def __init__(
        self, path: tuple[str | int, ...], problem: str, *missing: tuple[str | int, ...]
    ) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
        self.missing = missing
        self.meant = path
        self.others: tuple[FaultError, ...] = ()


def raise_all(faults: Iterable[FaultError]) -> None:
    """Raise the first of the faults, if there are any, with the others beside it."""
    found = list(faults)
    if found:
        found[0].others = tuple(found[1:])
        raise found[0]


class Rule:
    """A node of a table of patterns: what applies here, and the tables below."""

    __slots__ = ("action", "below")

    def __init__(self) -> None:
        self.action: Any = None
        self.below: dict[str, Rule] = {}

    def child(self, key: str) -> Rule | None:
        """The table for one key, or None if no pattern goes that way."""
        return self.below.get(key) or self.below.get("*")


def table(patterns: Mapping[str, Any]) -> Rule:
    """Compile `{"services.*.ports": action}` into a table to walk beside a tree."""
    root = Rule()
    for pattern, action in patterns.items():
        rule = root
        for part in pattern.split("."):
            rule = rule.below.setdefault(part, Rule())
        rule.action = action
    # What `*` says holds for a named sibling too, so that one look-up per key is enough.
    _spread(root)
    return root


def _spread(rule: Rule) -> None:
    general = rule.below.get("*")
    if general is not None:
        for name, special in rule.below.items():
            if name != "*":
                _inherit(special, general)
    for below in rule.below.values():
        _spread(below)


def _inherit(special: Rule, general: Rule) -> None:
    if special.action is None:
        special.action = general.action
    for name, below in general.below.items():
        _inherit(special.below.setdefault(name, Rule()), below)


def rewrite(
    value: Any,
    rule: Rule,
    path: tuple[str | int, ...],
    apply: Callable[[Any, Any, tuple[str | int, ...]], Any],
) -> Any:
    """A tree in which `apply(action, value, path)` replaced each value that has an action, outermost first."""
    if rule.action is not None:
        value = apply(rule.action, value, path)
    if not rule.below:
        return value
    if isinstance(value, dict):
        changed = None
        for key, old in value.items():
            child = rule.below.get(key) or rule.below.get("*")
            if child is None:
                continue
            new = rewrite(old, child, (*path, key), apply)
            if new is not old:
                if changed is None:
                    changed = dict(value)
                changed[key] = new
        return value if changed is None else changed
    if isinstance(value, list):
        child = rule.below.get("*")
        if child is None:
            return value
        return [rewrite(old, child, (*path, index), apply) for index, old in enumerate(value)]
    return value


def dotted(path: tuple[str | int, ...]) -> str:
    """`services.a.ports[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def kind(value: Any) -> str:
    """What a person calls the type of a value, with its article."""
    return _TYPES.get(type(value), "a number")


def like(name: str, known: Iterable[str]) -> str:
    """`, did you mean "x"?` if one of the known names is close, else ""."""
    import difflib

    close = difflib.get_close_matches(name, list(known), 1)
    return f', did you mean "{close[0]}"?' if close else ""
