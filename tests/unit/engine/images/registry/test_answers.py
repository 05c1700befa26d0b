"""What a registry's answers amount to, and how long to wait."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NotFoundError
from engine.images.registry.answers import (
    LONGEST_WAIT,
    AccessDeniedError,
    RegistryError,
    backoff,
    refusal,
    retry_after,
    wait_of,
)

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


def answer(status: int, document: object = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=document, headers=headers)


def test_what_asks_for_too_long_is_not_waited_for() -> None:
    assert wait_of(answer(429, **{"retry-after": "31"}), 0, NOW) is None
    assert wait_of(answer(429, **{"retry-after": "3"}), 0, NOW) == 3
    assert wait_of(answer(503), 2, NOW) == backoff(2)


@given(st.integers(0, 40))
def test_waits_grow_up_to_a_limit(attempt: int) -> None:
    assert backoff(attempt) <= backoff(attempt + 1) <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("status", "code", "actions", "kind", "words"),
    [
        (401, "UNAUTHORIZED", "pull", AccessDeniedError, "pull access denied for app"),
        (403, "DENIED", "pull,push", AccessDeniedError, "denied: words"),
        (404, "NAME_UNKNOWN", "pull", NotFoundError, "app: words"),
        (429, "TOOMANYREQUESTS", "pull", RegistryError, "toomanyrequests: words"),
        (500, "UNKNOWN", "pull", RegistryError, "the registry answered 500 for app: words"),
    ],
)
def test_refusals_in_dockers_words(
    status: int, code: str, actions: str, kind: type[Exception], words: str
) -> None:
    document = {"errors": [{"code": code, "message": "words"}]}
    error = refusal(answer(status, document), "app", actions)
    assert isinstance(error, kind)
    assert str(error).startswith(words)


@pytest.mark.parametrize("document", [None, [], {"errors": []}, {"errors": [5]}, {"errors": {}}])
def test_bodies_that_say_nothing(document: object) -> None:
    assert "the registry answered 500" in str(refusal(answer(500, document), "app"))
