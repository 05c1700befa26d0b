"""Numbers as people read them: how long ago, how big, which ports. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float) -> str:  # a table of steps
    """ "5 minutes", as docker says it."""
    whole, minutes, hours = int(seconds), int(seconds / 60), int(seconds / 3600 + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    days = hours // 24
    for limit, size, word in ((14, 1, "days"), (60, 7, "weeks"), (730, 30, "months")):
        if days < limit:
            return f"{days // size} {word}"
    return f"{int(seconds / 3600) // 24 // 365} years"


def decimal_size(size: float, digits: int = 3) -> str:
    """ "1.98MB": powers of 1000."""
    return _scaled(size, 1000, DECIMAL, digits)


def binary_size(size: float, digits: int = 4) -> str:
    """ "476KiB": powers of 1024."""
    return _scaled(size, 1024, BINARY, digits)


def _scaled(size: float, base: int, names: tuple[str, ...], digits: int) -> str:
    at = 0
    while size >= base and at < len(names) - 1:
        size /= base
        at += 1
    return f"{size:.{digits}g}{names[at]}"


def address(ip: str, port: int | str) -> str:
    """ "[::]:80"."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def shown_ports(publishers: Iterable[Mapping[str, Any]]) -> str:
    """ "0.0.0.0:80->80/tcp, 90/tcp": neighbours run together as a range."""
    groups: dict[tuple[str, str], list[int]] = {}
    shown: list[str] = []
    mapped: list[str] = []
    order = ("TargetPort", "URL", "PublishedPort", "Protocol")
    for port in sorted(publishers, key=lambda one: tuple(one[key] for key in order)):
        ip, target, kind = port["URL"], port["TargetPort"], port["Protocol"]
        if ip and port["PublishedPort"] != target:
            mapped.append(f"{address(ip, port['PublishedPort'])}->{target}/{kind}")
            continue
        group = groups.get((ip, kind))
        if group is not None and target == group[1] + 1:
            group[1] = target
            continue
        if group is not None:
            shown.append(_range(ip, kind, group))
        groups[ip, kind] = [target, target]
    shown += [_range(ip, kind, group) for (ip, kind), group in groups.items()]
    return ", ".join(shown + mapped)


def _range(ip: str, kind: str, group: list[int]) -> str:
    first, last = group
    text = str(first) if first == last else f"{first}-{last}"
    return f"{address(ip, text)}->{text}/{kind}" if ip else f"{text}/{kind}"


def shortened(text: str, width: int) -> str:
    """At most `width` characters, an ellipsis for the rest."""
    return text if len(text) <= width else text[: width - 1] + "…"


def quoted(text: str) -> str:
    """In double quotes, as Go quotes a string."""
    import json

    return json.dumps(text, ensure_ascii=False)
