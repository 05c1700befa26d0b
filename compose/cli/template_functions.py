"""The functions of Go templates: the language's own, and docker's. Pure.

Source: https://pkg.go.dev/text/template#hdr-Functions, https://docs.docker.com/engine/cli/formatting/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERB = re.compile(r"%([-+ #0]*)(\d*)(?:\.(\d+))?([a-zA-Z%])")


class Struct(dict[str, object]):
    """A value of a Go struct: its fields' values in their order are what is printed of it."""


def shown(value: Any) -> str:
    """A value as Go's print shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<no value>"
    if isinstance(value, Struct):
        return "{" + " ".join(map(shown, value.values())) + "}"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{shown(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(shown, value)) + "]"
    return str(value)


def go_json(value: Any) -> str:
    """JSON as Go writes it: no blanks, <, > and & escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pretty_json(value: Any) -> str:
    """The same on several lines."""
    text = json.dumps(value, indent=4, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pad(text: str, left: int, right: int) -> str:
    """Blanks around a text, none around an empty one."""
    return " " * left + text + " " * right if text else text


def index(items: Any, *keys: Any) -> Any:
    """items[a][b]: a missing key of a mapping is nothing, an index out of range an error."""
    for key in keys:
        if items is None:
            return None
        items = items.get(key) if isinstance(items, Mapping) else items[key]
    return items


def printf(text: str, *values: Any) -> str:
    """Go's fmt.Sprintf for %s %v %d %q %t %x %f %e %g %c %%."""
    rest = list(values)

    def put(found: re.Match[str]) -> str:
        flags, width, digits, verb = found.groups()
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        value = rest.pop(0)
        if verb in "svt":
            body = shown(value)[: int(digits)] if digits and verb == "s" else shown(value)
        elif verb == "q":
            body = json.dumps(shown(value), ensure_ascii=False)
        else:
            verb = verb.replace("b", "d") if not isinstance(value, int) else verb
            precision = f".{digits}" if digits else ""
            return str(f"%{flags}{width}{precision}{verb}" % value)
        size = int(width or 0)
        return body.ljust(size) if "-" in flags else body.rjust(size)

    said = VERB.sub(put, text)
    return said + (f"%!(EXTRA {' '.join(map(shown, rest))})" if rest else "")


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": go_json,
    "upper": lambda text: shown(text).upper(),
    "lower": lambda text: shown(text).lower(),
    "title": lambda text: shown(text).title(),
    "join": lambda items, separator: separator.join(map(shown, items)),
    "split": lambda text, separator: text.split(separator),
    "truncate": lambda text, length: shown(text)[:length],
    "pad": pad,
    "len": len,
    "index": index,
    "slice": lambda items, first=0, last=None: items[first:last],
    "html": lambda text: (
        shown(text)
        .replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        .replace('"', "&#34;").replace("'", "&#39;")
    ),
    "js": lambda text: json.dumps(shown(text))[1:-1],
    "urlquery": lambda text: re.sub(
        r"[^\w.~-]", lambda found: "".join(f"%{one:02X}" for one in found[0].encode()), shown(text)
    ).replace("%20", "+"),
    "print": lambda *items: "".join(map(shown, items)),
    "println": lambda *items: " ".join(map(shown, items)) + "\n",
    "printf": printf,
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda first, second: first != second,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "lt": lambda first, second: first < second,
    "le": lambda first, second: first <= second,
    "gt": lambda first, second: first > second,
    "ge": lambda first, second: first >= second,
    "table": lambda text: text,
}  # fmt: skip
