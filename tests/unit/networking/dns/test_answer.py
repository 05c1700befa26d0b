"""Answers from the zone: families, rotation, and what is left to others."""

from __future__ import annotations

import dns.message
import pytest

from networking.dns.answer import answer_locally
from networking.dns.message import parse_query
from networking.dns.zone import Member, View, Zone

ZONE = Zone(
    [Member(str(n), "net", f"web-{n}", ("web",), (f"10.0.0.{n}", f"fd00::{n}")) for n in (2, 3, 4)]
)
VIEW = View(("net",))


def ask(name: str, kind: str = "A", turn: int = 0, **more) -> dns.message.Message | None:
    raw = dns.message.make_query(name, kind, **more).to_wire()
    answers = answer_locally(raw, parse_query(raw), ZONE, VIEW)
    return None if answers is None else dns.message.from_wire(answers.at(turn))


def texts(answer: dns.message.Message | None) -> list[str]:
    assert answer
    return [str(record) for rrset in answer.answer for record in rrset]


def test_each_turn_begins_with_another_address() -> None:
    firsts = [texts(ask("web", turn=n))[0] for n in range(6)]
    assert firsts == ["10.0.0.2", "10.0.0.3", "10.0.0.4"] * 2
    assert sorted(texts(ask("web", turn=1))) == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]


def test_families_and_other_types() -> None:
    assert texts(ask("web", "AAAA"))[0] == "fd00::2"
    assert len(texts(ask("web", "ANY"))) == 6
    nothing = ask("web", "MX")
    assert nothing is not None
    assert nothing.rcode() == 0
    assert texts(nothing) == []


def test_what_is_not_ours_is_nobodys_answer() -> None:
    assert ask("example.com") is None
    assert ask("9.0.0.10.in-addr.arpa", "PTR") is None
    assert ask("web", "TXT", rdclass="CH") is None
    assert texts(ask("2.0.0.10.in-addr.arpa", "PTR")) == ["web-2.net."]


@pytest.mark.parametrize("udp", [True, False])
def test_many_replicas_are_cut_by_udp_and_whole_by_tcp(udp: bool) -> None:
    zone = Zone(
        [Member(str(n), "net", "x", ("web",), (f"10.0.{n // 250}.{n % 250}",)) for n in range(300)]
    )
    raw = dns.message.make_query("web", "A").to_wire()
    answers = answer_locally(raw, parse_query(raw), zone, VIEW, udp=udp)
    assert answers
    assert len(answers) == 300
    read = dns.message.from_wire(answers.at(299))
    assert (len(read.answer[0]) == 300) is not udp
    assert str(read.answer[0][0]) == "10.0.1.49"
