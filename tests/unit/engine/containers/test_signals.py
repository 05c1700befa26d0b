"""Signals by name, and who takes notice."""

import os
import signal

import pytest

from engine.containers.signals import parse_signal, signal_name, takes_notice
from engine.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TERM", 15),
        ("sigkill", 9),
        ("1", 1),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX", signal.SIGRTMAX),
    ],
)
def test_names_and_numbers(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "NOPE", "0", "99", "RTMIN+99"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="invalid signal"):
        parse_signal(text)


def test_a_handler_is_seen_in_proc() -> None:
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        assert takes_notice(os.getpid(), signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert not takes_notice(os.getpid(), signal.SIGUSR2)
    assert takes_notice(2**22 + 1, signal.SIGTERM)
    assert signal_name(15) == "SIGTERM"
