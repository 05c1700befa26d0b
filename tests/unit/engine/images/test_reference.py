"""Image names: what they mean, and which of them a filter means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidRequestError
from engine.images.reference import fits, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "familiar", "registry"),
    [
        ("redis", "redis:latest", "registry-1.docker.io"),
        ("docker.io/library/redis:7", "redis:7", "registry-1.docker.io"),
        ("index.docker.io/me/app", "me/app:latest", "registry-1.docker.io"),
        ("localhost/app", "localhost/app:latest", "localhost"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b:1", "localhost:5000"),
        ("[::1]:5000/a:1", "[::1]:5000/a:1", "[::1]:5000"),
        (f"ghcr.io/a/b@{DIGEST}", f"ghcr.io/a/b@{DIGEST}", "ghcr.io"),
        ("Registry/app", "Registry/app:latest", "Registry"),
    ],
)
def test_names(text: str, familiar: str, registry: str) -> None:
    reference = parse_reference(text)
    assert (reference.familiar, reference.registry) == (familiar, registry)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "Redis",
        "a//b",
        "a:",
        "a:b:c",
        "a@sha256:12",
        "-a",
        "a/../b",
        "a b",
        "a:" + "x" * 129,
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_reference(text)


@given(st.text(alphabet="abc/:.@-_ A1", max_size=30))
def test_a_name_is_read_as_it_is_shown(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidRequestError:
        return
    assert parse_reference(reference.familiar) == reference


@pytest.mark.parametrize(
    ("pattern", "fit"),
    [
        ("redis", True),
        ("redis:7", True),
        ("redis:8", False),
        ("red*", True),
        ("re?is:*", True),
        ("*", True),
        ("*/redis", False),
        ("red[a-i]s", True),
        ("red[^i]s", False),
        ("docker.io/library/redis", True),
        ("other", False),
        ("redis.", False),
    ],
)
def test_patterns(pattern: str, fit: bool) -> None:
    assert fits("redis:7", pattern) is fit


def test_a_star_crosses_no_slash() -> None:
    assert not fits("me/app:1", "*")
    assert fits("me/app:1", "me/*")
    assert fits(f"me/app@{DIGEST}", "me/app")
