"""Answers remembered by their TTLs, and never longer, nor more of them than there is room."""

from __future__ import annotations

import dns.message
import dns.rrset

from networking.dns import cache as cache_room
from networking.dns.cache import Cache
from networking.dns.message import parse_query


def pair(name: str = "web.example", kind: str = "A", ttl: int = 100, rcode: int = 0, **more):
    query = dns.message.make_query(name, kind, **more)
    answer = dns.message.make_response(query)
    answer.set_rcode(rcode)
    if rcode == 0 and ttl:
        answer.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "A", "10.0.0.1"))
    if rcode == 3:
        soa = "a. b. 1 2 3 4 600"
        answer.authority.append(dns.rrset.from_text("example.", 900, "IN", "SOA", soa))
    return query.to_wire(), answer.to_wire()


def test_an_answer_ages_and_dies() -> None:
    cache = Cache()
    query, answer = pair()
    question = parse_query(query)
    assert cache.get(None, query, question, 0) is None
    cache.put(None, query, question, answer, 1000.0)
    again = b"\x12\x34" + query[2:].replace(b"web", b"WEB")
    found = cache.get(None, again, parse_query(again), 1040.5)
    assert found
    read = dns.message.from_wire(found)
    assert (read.id, read.answer[0].ttl) == (0x1234, 60)
    assert str(read.question[0].name) == "WEB.example."
    assert cache.get(None, query, question, 1100.0) is None
    assert len(cache) == 0


def test_who_was_asked_and_how_makes_a_difference() -> None:
    cache = Cache()
    query, answer = pair()
    cache.put("mine", query, parse_query(query), answer, 0)
    assert cache.get("other", query, parse_query(query), 1) is None
    with_edns, _ = pair(use_edns=0)
    assert cache.get("mine", with_edns, parse_query(with_edns), 1) is None
    # 65 (HTTPS) and 97 differ by the bit that tells upper from lower case letters.
    https, answer = pair(kind="HTTPS", ttl=0, rcode=3)
    cache.put("mine", https, parse_query(https), answer, 0)
    other = https.replace(b"\0\x41\0\1", b"\0\x61\0\1")
    assert cache.get("mine", https, parse_query(https), 1)
    assert cache.get("mine", other, parse_query(other), 1) is None


def test_negative_answers_live_a_minute_at_most_and_failures_not_at_all() -> None:
    cache = Cache()
    query, answer = pair(rcode=3)
    question = parse_query(query)
    cache.put(None, query, question, answer, 0)
    assert cache.get(None, query, question, 59)
    assert cache.get(None, query, question, 60) is None
    for wrong in (
        pair(rcode=2)[1],
        pair(ttl=0)[1],
        answer[:2] + bytes([answer[2] | 2]) + answer[3:],
    ):
        cache.put(None, query, question, wrong, 0)
        assert len(cache) == 0
    cache.put(None, query, question, answer[:-3], 0)  # cut off
    assert len(cache) == 0


def test_room_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(cache_room, "ENTRIES", 10)
    cache = Cache()
    for number in range(50):
        query, answer = pair(f"n{number}.example")
        cache.put(None, query, parse_query(query), answer, 0)
    assert len(cache) == 10
    query, _ = pair("n49.example")
    assert cache.get(None, query, parse_query(query), 1)
    cache.clear()
    assert len(cache) == 0
