"""Phase 5: one tree over another. Pure.

The rule for most: mappings merge by key, lists are joined, anything else replaces; null leaves what was
there. The exceptions are the table below. Source: the Compose Specification, merge.
"""

from __future__ import annotations

from compose.loader.tree import FaultError, Rule, table
from compose.loader.units import go_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Path = tuple[str | int, ...]

_NOTHING = Rule()


def merge(base: Any, over: Any, path: Path = ()) -> Any:
    """`over` laid over `base`, both at `path`. Raises FaultError where the two have different shapes."""
    rule: Rule | None = _RULES
    for part in path:
        rule = rule.child(str(part)) if rule else None
    return _merge(base, over, path, rule or _NOTHING)


def _merge(base: Any, over: Any, path: Path, rule: Rule) -> Any:
    if rule.action is not None:
        return rule.action(base, over, path, rule)
    if over is None:
        return base
    if isinstance(base, dict):
        if not isinstance(over, dict):
            raise FaultError(
                path, "cannot override a mapping with something else: use a mapping here too"
            )
        return _mappings(base, over, path, rule)
    if isinstance(base, list):
        if not isinstance(over, list):
            raise FaultError(
                path, "cannot override a list with something else: use a list here too"
            )
        return base + over
    return over


def _mappings(base: dict[str, Any], over: dict[str, Any], path: Path, rule: Rule) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        if key in merged:
            merged[key] = _merge(merged[key], value, (*path, key), rule.child(key) or _NOTHING)
        else:
            merged[key] = value
    return merged


def _replace(_base: Any, over: Any, _path: Path, _rule: Rule) -> Any:
    return over


def _as_list(value: Any) -> list[Any]:
    """A mapping as its sorted `key=value` entries; one string as a list."""
    if isinstance(value, dict):
        return sorted(_pairs(value))
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []


def _pairs(mapping: dict[str, Any]) -> Iterable[str]:
    for key, value in mapping.items():
        if value is None:
            yield key
        elif isinstance(value, list):
            yield from (f"{key}={go_text(item)}" for item in value)
        else:
            yield f"{key}={go_text(value)}"


def _join(base: Any, over: Any, _path: Path, _rule: Rule) -> Any:
    return _as_list(base) + _as_list(over)


def _join_new(base: Any, over: Any, _path: Path, _rule: Rule) -> Any:
    known = _as_list(base)
    return known + [entry for entry in _as_list(over) if entry not in known]


def _as_mapping(value: Any, default: Any = None) -> dict[str, Any]:
    """A list of names as a mapping to the default."""
    if isinstance(value, list):
        return {str(name): dict(default) if default else None for name in value}
    return value if isinstance(value, dict) else {}


def _by_name(base: Any, over: Any, path: Path, rule: Rule) -> Any:
    return _mappings(_as_mapping(base), _as_mapping(over), path, _without_action(rule))


def _depends_on(base: Any, over: Any, path: Path, rule: Rule) -> Any:
    default = {"condition": "service_started", "required": True}
    rule = _without_action(rule)
    return _mappings(_as_mapping(base, default), _as_mapping(over, default), path, rule)


def _build(base: Any, over: Any, path: Path, rule: Rule) -> Any:
    long = [{"context": side} if isinstance(side, str) else side or {} for side in (base, over)]
    if not all(isinstance(side, dict) for side in long):
        raise FaultError(path, "must be a path or a mapping")
    return _mappings(long[0], long[1], path, rule)


def _logging(base: Any, over: Any, path: Path, rule: Rule) -> Any:
    """Options belong to a driver: they merge only if both sides have the same, or one says none."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return base if over is None else over
    if "driver" in base and "driver" in over and base["driver"] != over["driver"]:
        return over
    return _mappings(base, over, path, rule)


def _pools(base: Any, over: Any, path: Path, rule: Rule) -> Any:
    """Address pools merge by subnet; the one with a new subnet is added."""
    if not isinstance(base, list) or not isinstance(over, list):
        raise FaultError(path, "must be a list")
    pools: list[dict[str, Any]] = []
    for mine in map(_as_mapping, base):
        for theirs in map(_as_mapping, over):
            pool = theirs
            if (
                mine.get("subnet") == theirs.get("subnet")
                or _with_subnet(pools, theirs) is not None
            ):
                pool = _mappings(mine, theirs, path, rule)
            index = _with_subnet(pools, pool)
            if index is None:
                pools.append(pool)
            else:
                pools[index] = pool
    return pools


def _with_subnet(pools: list[dict[str, Any]], pool: dict[str, Any]) -> int | None:
    subnets = [known.get("subnet") for known in pools]
    return subnets.index(pool.get("subnet")) if pool.get("subnet") in subnets else None


def _without_action(rule: Rule) -> Rule:
    bare = Rule()
    bare.below = rule.below
    return bare


_JOINED = (
    "annotations build.args build.additional_contexts build.labels deploy.labels dns dns_opt dns_search"
    " env_file label_file environment labels volumes.*.volume.labels sysctls tmpfs"
)
_RULES = table(
    {
        **{f"services.*.{attribute}": _join for attribute in _JOINED.split()},
        "networks.*.labels": _join,
        "volumes.*.labels": _join,
        "networks.*.ipam.config": _pools,
        "services.*.build": _build,
        "services.*.build.extra_hosts": _join_new,
        "services.*.extra_hosts": _join_new,
        "services.*.command": _replace,
        "services.*.entrypoint": _replace,
        "services.*.healthcheck.test": _replace,
        "services.*.ulimits.*": _replace,
        "services.*.depends_on": _depends_on,
        "services.*.models": _by_name,
        "services.*.networks": _by_name,
        "services.*.logging": _logging,
    }
)


def without(tree: Any, paths: Iterable[Path]) -> Any:
    """The tree less what is at these paths: what `!reset` and `!override` do to the files before."""
    for path in paths:
        tree = _remove(tree, path)
    return tree


def _remove(tree: Any, path: Path) -> Any:
    if not isinstance(tree, dict) or not path or path[0] not in tree:
        return tree
    if len(path) == 1:
        return {key: value for key, value in tree.items() if key != path[0]}
    return {**tree, path[0]: _remove(tree[path[0]], path[1:])}
