"""The short syntaxes, units and scalars."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.loader import scalars, words
from compose.loader.mounts import parse_mount
from compose.loader.ports import parse_port
from compose.loader.units import format_duration, go_text, parse_duration, parse_size, single


def test_ranges_of_ports_become_pairs() -> None:
    pairs = [(port["published"], port["target"]) for port in parse_port("9090-9091:80-81")]
    assert pairs == [("9090", 80), ("9091", 81)]
    assert [port["published"] for port in parse_port("8000-9000:80")] == ["8000-9000"]
    assert parse_port("[::1]:1:2/udp") == [
        {"mode": "ingress", "host_ip": "::1", "target": 2, "published": "1", "protocol": "udp"}
    ]


@pytest.mark.parametrize("text", ["", "99999:80", "1-3:1-2", "a:b:c", "80/xyz", "2-1", "80:"])
def test_bad_ports(text: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        parse_port(text)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/d", {"type": "volume", "target": "/d"}),
        ("v:/v", {"type": "volume", "target": "v:/v", "volume": {}}),
        ("vol:/v:ro,nocopy", {"type": "volume", "source": "vol", "target": "/v", "read_only": True, "volume": {"nocopy": True}}),
        ("./a:/b:z,cached", {"type": "bind", "source": "./a", "target": "/b", "bind": {"selinux": "z", "create_host_path": True}}),
        ("C:\\a:/b", {"type": "bind", "source": "C:\\a", "target": "/b", "bind": {"create_host_path": True}}),
    ],
)  # fmt: skip
def test_mounts(text: str, mount: dict[str, Any]) -> None:
    assert parse_mount(text) == mount


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("22:22", "22:22"), ("010", 8), ("1_000", 1000), ("1.50", 1.5),
        ("0x1F", 31), ("08", 8.0), ("~", None), ("", None), ("true", True), ("a", "a"), ("1e3", 1000.0),
    ],
)  # fmt: skip
def test_scalars(text: str, value: Any) -> None:
    assert scalars.resolve(text) == value


def test_dates_are_no_strings() -> None:
    assert isinstance(scalars.resolve("2020-01-01"), scalars.Date)


@pytest.mark.parametrize(
    ("text", "printed"),
    [("90s", "1m30s"), ("1d", "24h0m0s"), ("1.5h", "1h30m0s"), ("100us", "100µs"), ("0", "0s"), ("1w2d", "216h0m0s")],
)  # fmt: skip
def test_durations(text: str, printed: str) -> None:
    assert format_duration(parse_duration(text)) == printed


@given(st.integers(min_value=-(2**62), max_value=2**62))
def test_a_printed_duration_reads_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "soon", "5", "1x", "1m 2s"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("64m", 64 << 20), ("1.5 GiB", 3 << 29), ("100b", 100), ("7", 7), ("2kb", 2048)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1", "1x", "1bb", "1_0"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.5"), (1e8, "1e+08"), (1000.0, "1000"), (1e-5, "1e-05"), (True, "true")],
)
def test_numbers_as_go_prints_them(value: Any, text: str) -> None:
    assert go_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_back(number: float) -> None:
    assert float(go_text(number)) == number


def test_single_precision_has_few_digits() -> None:
    assert single(0.3) == 0.3
    assert single(1 / 3) == 0.33333334


@pytest.mark.parametrize(
    ("line", "split"),
    [
        ("a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]),
        ("a && b", ["a"]),
        ("", []),
        ("'' x", ["", "x"]),
        ("echo $(date now)", ["echo", "$(date now)"]),
    ],
)
def test_command_lines(line: str, split: list[str]) -> None:
    assert words.split(line) == split


@pytest.mark.parametrize("line", ["'open", '"open', "a\\", "(x)"])
def test_open_quotes(line: str) -> None:
    with pytest.raises(ValueError, match="list"):
        words.split(line)
