"""The short syntax of a port: `[[host_ip:][published]:]target[/protocol]`, with ranges. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_PROTOCOLS = ("tcp", "udp", "sctp")


def parse_port(text: str) -> list[dict[str, Any]]:
    """The long syntax of every port that it means; ValueError if it means none.

    A range on both sides becomes pairs; a published range before one target stays a range, of which
    the engine takes any free one.
    """
    *before, last = text.split(":")
    target, protocol = _protocol(last)
    published = before.pop() if before else ""
    host = _address(":".join(before))
    if protocol not in _PROTOCOLS:
        raise ValueError(f"invalid port {text!r}: the protocol is one of {', '.join(_PROTOCOLS)}")
    if not target.strip("0"):
        raise ValueError(f"invalid port {text!r}: no port in the container")
    first, last_port = _range(target, text)
    count = last_port - first + 1
    low, high = _range(published, text) if published else (0, 0)
    if published and high - low + 1 != count and count != 1:
        raise ValueError(f"invalid port {text!r}: the two ranges differ in length")
    ports = []
    for offset in range(count):
        port: dict[str, Any] = {"mode": "ingress"}
        if host:
            port["host_ip"] = host
        port["target"] = first + offset
        if published:
            dynamic = count == 1 and low != high
            port["published"] = f"{low}-{high}" if dynamic else str(low + offset)
        ports.append({**port, "protocol": protocol})
    return sorted(ports, key=lambda port: f"{port['target']}/{protocol}")


def _protocol(last: str) -> tuple[str, str]:
    target, *rest = last.split("/")
    protocol = rest[0] if rest and rest[0] else "tcp"
    return target, protocol.lower()


def _address(host: str) -> str:
    if not host:
        return ""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not is_address(host):
        raise ValueError(f"invalid IP address {host!r}: give an address of this host")
    return host


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _range(text: str, whole: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    numbers = [low, high] if dash else [low, low]
    if not all(number.isascii() and number.isdigit() and int(number) < 65536 for number in numbers):
        raise ValueError(f"invalid port {whole!r}: {text!r} is no port or range of ports")
    if int(numbers[0]) > int(numbers[1]):
        raise ValueError(f"invalid port {whole!r}: the range {text} ends before it begins")
    return int(numbers[0]), int(numbers[1])
