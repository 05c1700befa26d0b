"""Phase 2: variables into values, and strings into the types that their attributes ask for.

Keys are not interpolated. Source: the Compose Specification, interpolation.
"""

from __future__ import annotations

from compose.loader.template import TemplateError, substitute
from compose.loader.tree import FaultError, Rule, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from compose.loader.template import Lookup, Warn

    Path = tuple[str | int, ...]

_YES = {"true": True, "y": True, "yes": True, "on": True}
_NO = {"false": False, "n": False, "no": False, "off": False}


def to_boolean(text: str) -> bool:
    """YAML 1.1's booleans, in any case; ValueError otherwise."""
    word = text.lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"invalid boolean {text!r}: use true or false")


def to_integer(text: str) -> int:
    """A decimal integer without blanks or underscores; ValueError otherwise."""
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is not an integer: give a whole number")
    if len(digits) > 19 or not -(1 << 63) <= int(text) < 1 << 63:
        raise ValueError(f"{text[:30]!r} is too large: give a smaller number")
    return int(text)


def to_float(text: str) -> float:
    """A number; ValueError otherwise."""
    try:
        if "_" not in text and text == text.strip():
            return float(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a number")


_SERVICE = {
    to_integer: (
        "cpu_count cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares deploy.replicas"
        " deploy.update_config.parallelism deploy.rollback_config.parallelism"
        " deploy.restart_policy.max_attempts deploy.placement.max_replicas_per_node"
        " healthcheck.retries oom_score_adj pids_limit ports.*.target scale"
        " ulimits.* ulimits.*.hard ulimits.*.soft"
    ),
    to_float: (
        "cpu_percent cpus deploy.update_config.max_failure_ratio"
        " deploy.rollback_config.max_failure_ratio"
    ),
    to_boolean: (
        "init healthcheck.disable oom_kill_disable privileged read_only stdin_open tty"
        " volumes.*.read_only volumes.*.volume.nocopy"
    ),
}
_CASTS = table(
    {
        **{
            f"services.*.{attribute}": cast
            for cast, attributes in _SERVICE.items()
            for attribute in attributes.split()
        },
        **{
            f"{resource}.*.external": to_boolean
            for resource in ("networks", "volumes", "secrets", "configs")
        },
        **{
            f"networks.*.{flag}": to_boolean
            for flag in ("internal", "attachable", "enable_ipv4", "enable_ipv6")
        },
    }
)


def interpolate(tree: Any, lookup: Lookup, warn: Warn) -> Any:
    """The tree with every string's variables replaced and casts made. Raises FaultError."""
    return _walk(tree, (), _CASTS, lookup, warn)


_NOTHING = Rule()


def _walk(value: Any, path: Path, rule: Rule, lookup: Lookup, warn: Warn) -> Any:
    if isinstance(value, str):
        if "$" not in value and rule.action is None:
            return value
        return _text(value, path, rule, lookup, warn)
    if isinstance(value, dict):
        return {
            key: _walk(old, (*path, key), rule.child(key) or _NOTHING, lookup, warn)
            for key, old in value.items()
        }
    if isinstance(value, list):
        below = rule.below.get("*") or _NOTHING
        return [_walk(old, (*path, i), below, lookup, warn) for i, old in enumerate(value)]
    return value


def _text(value: str, path: Path, rule: Rule, lookup: Lookup, warn: Warn) -> Any:
    try:
        text = substitute(value, lookup, warn)
        return text if rule.action is None else rule.action(text)
    except (TemplateError, ValueError) as error:
        raise FaultError(path, str(error)) from None
