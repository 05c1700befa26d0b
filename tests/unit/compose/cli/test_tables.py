"""Tables, durations, sizes, ports and times as docker writes them."""

from __future__ import annotations

import pytest

from compose.cli.table import table
from compose.cli.times import moment
from compose.cli.units import binary_size, decimal_size, duration, quoted, shortened, shown_ports
from compose.errors import UsageError


def test_a_table_is_docker_composes() -> None:
    assert table([["NAME", "IMAGE", "PORTS"], ["p1-db-1", "busybox:bench", ""]]) == (
        "NAME      IMAGE           PORTS\np1-db-1   busybox:bench   \n"
    )
    assert table([["A"]], minimum=20) == "A\n"
    assert table([]) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (60 * 46, "46 minutes"),
        (3600, "About an hour"),
        (3600 * 3, "3 hours"),
        (3600 * 47.4, "47 hours"),
        (3600 * 48, "2 days"),
        (86400 * 15, "2 weeks"),
        (86400 * 90, "3 months"),
        (86400 * 800, "2 years"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes() -> None:
    assert decimal_size(1982291) == "1.98MB"
    assert decimal_size(586) == "586B"
    assert binary_size(487424) == "476KiB"
    assert binary_size(25275535360) == "23.54GiB"


def port(
    target: int, published: int = 0, url: str = "", protocol: str = "tcp"
) -> dict[str, object]:
    return {"URL": url, "TargetPort": target, "PublishedPort": published, "Protocol": protocol}


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ([], ""),
        ([port(80)], "80/tcp"),
        ([port(80, 8080, "0.0.0.0"), port(80, 8080, "::")], "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"),
        ([port(80), port(81), port(83)], "80-81/tcp, 83/tcp"),
        ([port(n, n, "0.0.0.0") for n in (9000, 9001, 9002)], "0.0.0.0:9000-9002->9000-9002/tcp"),
        ([port(53, protocol="udp"), port(53)], "53/tcp, 53/udp"),
    ],
)  # fmt: skip
def test_ports(ports: list[dict[str, object]], words: str) -> None:
    assert shown_ports(ports) == words


def test_texts() -> None:
    assert shortened("0123456789", 5) == "0123…"
    assert shortened("abc", 5) == "abc"
    assert quoted('sh -c "x"') == '"sh -c \\"x\\""'


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", ""),
        ("1700000000", "1700000000"),
        ("42m", "7480.000000000"),
        ("1h30m", "4600.000000000"),
        ("1970-01-01T00:00:10Z", "10"),
        ("1970-01-01T00:00:10.5Z", "10.5"),
        ("1970-01-01T01:00:10+01:00", "10"),
    ],
)
def test_moments(text: str, seconds: str) -> None:
    assert moment(text, now=10000.0) == seconds


def test_a_bad_moment() -> None:
    with pytest.raises(UsageError, match="cannot read the time"):
        moment("yesterday")
