"""One attribute's value -> how the document holds it: the kinds of `shapes`. Pure.

Every function takes a value of a canonical tree; ValueError says what is wrong with it.
"""

from __future__ import annotations

from compose.loader import words
from compose.loader.interpolate import to_boolean, to_float, to_integer
from compose.loader.tree import kind
from compose.loader.units import format_duration, go_text, parse_duration, parse_size, single

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if _is_int(value):
        return str(value)
    raise ValueError(f"must be a string, not {kind(value)}: put it in quotes")


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [_text(entry) for entry in value]
    return [_text(value)]


def _words(value: Any) -> list[str]:
    return [go_text(entry) for entry in value] if isinstance(value, list) else [_text(value)]


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return to_boolean(value)
    raise ValueError(f"must be true or false, not {kind(value)}")


def _int(value: Any) -> int:
    if isinstance(value, str):
        return to_integer(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    raise ValueError(f"must be an integer, not {kind(value)}")


def _uint(value: Any) -> int:
    if isinstance(value, str):
        raise ValueError("must be an integer, not a string: remove the quotes")
    number = _int(value)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _float(value: Any) -> float:
    if isinstance(value, str):
        value = to_float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return single(value)
    raise ValueError(f"must be a number, not {kind(value)}")


def _size(value: Any) -> str:
    if isinstance(value, str):
        return str(parse_size(value))
    return str(value) if _is_int(value) else "0"


def _duration(value: Any) -> str:
    return format_duration(parse_duration(go_text(value)))


def _mode(value: Any) -> str:
    if isinstance(value, str):
        try:
            return f"0{int(value, 8):o}"
        except ValueError:
            raise ValueError(f"{value!r} is not a file mode: write it like 0440") from None
    if _is_int(value):
        return f"0{value:o}"
    raise ValueError(f"must be a file mode, not {kind(value)}")


def _count(value: Any) -> int:
    if _is_int(value):
        return int(value)
    if isinstance(value, str):
        if value.lower() == "all":
            return -1
        try:
            return to_integer(value)
        except ValueError:
            pass
    raise ValueError(f'invalid value {value!r}: use "all" or a number')


def _command(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return words.split(value)
    return None if value is None else [_text(entry) for entry in value]


def _test(value: Any) -> list[str]:
    return ["CMD-SHELL", value] if isinstance(value, str) else [_text(entry) for entry in value]


def _mapping(value: Any) -> dict[str, str]:
    return {key: "" if old is None else old for key, old in _pairs(value).items()}


def _strings(value: Any) -> dict[str, str]:
    return {key: _text(old) for key, old in sorted(value.items())}


def _pairs(value: Any) -> dict[str, str | None]:
    if isinstance(value, dict):
        return {key: None if old is None else go_text(old) for key, old in sorted(value.items())}
    if not isinstance(value, list):
        raise ValueError(f"must be a mapping or a list, not {kind(value)}")
    found: dict[str, str | None] = {}
    for entry in value:
        name, equals, rest = go_text(entry).partition("=")
        found[name] = rest if equals else None
    return dict(sorted(found.items()))


def _values(value: Any) -> dict[str, str | None]:
    found = _pairs(value)
    if isinstance(value, list):
        for name in found:
            if name[-1:].isspace():
                raise ValueError(f"variable {name!r} is declared with a trailing space: remove it")
    return found


def _multi(value: Any) -> dict[str, list[str]]:
    return {
        key: [go_text(entry) for entry in (old if isinstance(old, list) else [old])]
        for key, old in sorted(value.items())
        if old != []
    }


def _hosts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return sorted(
            _host(host, go_text(address))
            for host, addresses in value.items()
            for address in (addresses if isinstance(addresses, list) else [addresses or ""])
        )
    hosts: list[str] = []
    for entry in map(go_text, value):
        separator = "=" if "=" in entry else ":"
        host, found, addresses = entry.partition(separator)
        if not found:
            raise ValueError(f"{entry!r} has no address: write it as host=address")
        hosts += [_host(host, address) for address in addresses.split(",")]
    return sorted(hosts)


def _host(host: str, address: str) -> str:
    if not host or ":" in host or "=" in host:
        raise ValueError(f"bad host name {host!r}")
    if len(address) > 2 and address[0] == "[" and address[-1] == "]":
        address = address[1:-1]
    return f"{host}={address}"


def _ssh(value: Any) -> list[Any]:
    return [{name: go_text(place)} if place else name for name, place in sorted(value.items())]


def _env_files(value: Any) -> list[Any]:
    files: list[Any] = []
    for entry in value:
        required = _flag(entry.get("required", True))
        file = {"path": _text(entry["path"]), "required": required}
        if entry.get("format"):
            file["format"] = _text(entry["format"])
        files.append(file)
    return files


def _limits(value: Any) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for name, limit in sorted(value.items()):
        if isinstance(limit, dict):
            pair = {side: _int(limit[side]) for side in ("soft", "hard") if limit.get(side)}
            limits[name] = pair
        else:
            number = _int(limit)
            limits[name] = number or {}
    return limits


KINDS: dict[str, Callable[[Any], Any]] = {
    "text": _text, "texts": _texts, "words": _words, "flag": _flag, "int": _int, "uint": _uint, "float": _float,
    "size": _size, "duration": _duration, "mode": _mode, "count": _count, "command": _command,
    "test": _test, "mapping": _mapping, "strings": _strings, "values": _values, "multi": _multi, "hosts": _hosts,
    "ssh": _ssh, "env_files": _env_files, "limits": _limits,
}  # fmt: skip
