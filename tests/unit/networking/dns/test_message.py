"""DNS messages: whatever bytes come, an answer or a MalformedError, and nothing else."""

from __future__ import annotations

import struct

import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from networking.dns import message
from networking.dns.message import MalformedError

label = st.text("abcXYZ019-_", min_size=1, max_size=63)
names = st.lists(label, min_size=1, max_size=4).map(".".join).filter(lambda n: len(n) < 240)


def query(name: str = "web", kind: str = "A", **more) -> bytes:
    return dns.message.make_query(name, kind, **more).to_wire()


@given(names, st.sampled_from(["A", "AAAA", "PTR", "MX", "ANY"]), st.booleans())
def test_what_dnspython_asks_is_read(name: str, kind: str, edns: bool) -> None:
    raw = query(name, kind, use_edns=0 if edns else -1)
    question = message.parse_query(raw)
    assert question.name == name
    assert question.kind == {"A": 1, "AAAA": 28, "PTR": 12, "MX": 15, "ANY": 255}[kind]
    assert question.edns is edns
    assert question.udp == (1232 if edns else 512)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_query_or_malformed(data: bytes) -> None:
    for read in (message.parse_query, message.lifetime):
        try:
            read(data)
        except MalformedError:
            continue
    message.refuse(data, 1)
    message.is_answer_to(query(), data)


@given(st.binary(min_size=1, max_size=40), st.integers(0, 60))
def test_a_damaged_query_never_breaks_the_reader(noise: bytes, at: int) -> None:
    raw = bytearray(query("web.example.com", use_edns=0))
    raw[at : at + len(noise)] = noise
    try:
        question = message.parse_query(bytes(raw))
    except MalformedError:
        return
    answer = message.respond(bytes(raw), question, [message.address_record("10.0.0.1", 5)])
    assert answer[:2] == bytes(raw[:2])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        query()[:11],
        query()[:-3],
        query()[:12] + b"\xc0\x0c\0\1\0\1" + bytes(4),  # a name that points to itself
        query()[:12] + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
        query()[:12] + b"\x3f" + b"a" * 10,
        query()[:12] + b"\x01a" * 200 + b"\0\0\1\0\1",
        query()[:4] + b"\0\2" + query()[6:],
        query()[:2] + b"\x80" + query()[3:],
    ],
)
def test_hostile_questions_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        message.parse_query(raw)


def test_an_answer_is_what_dnspython_reads() -> None:
    raw = query("web", use_edns=0)
    records = [message.address_record(a, 7) for a in ("10.0.0.1", "10.0.0.2")]
    answer = dns.message.from_wire(message.respond(raw, message.parse_query(raw), records))
    assert answer.flags & dns.flags.QR
    assert answer.flags & dns.flags.AA
    assert answer.edns == 0
    assert answer.answer[0].ttl == 7
    assert [r.address for r in answer.answer[0]] == ["10.0.0.1", "10.0.0.2"]


@given(st.integers(0, 400), st.booleans())
def test_an_answer_that_does_not_fit_is_cut_and_says_so(count: int, edns: bool) -> None:
    raw = query("web", use_edns=0 if edns else -1)
    question = message.parse_query(raw)
    records = [message.address_record(f"10.0.{n // 256}.{n % 256}", 5) for n in range(count)]
    answer = message.respond(raw, question, records, limit=question.udp)
    assert len(answer) <= question.udp
    read = dns.message.from_wire(answer)
    given_back = len(read.answer[0]) if read.answer else 0
    cut = bool(read.flags & dns.flags.TC)
    assert cut is (given_back < count)
    if cut:
        assert given_back > 20  # what fits is there: not everybody can ask again by TCP


def test_refusals_repeat_the_question_and_never_answer_an_answer() -> None:
    raw = query("web")
    refused = dns.message.from_wire(message.refuse(raw, message.SERVFAIL))
    assert refused.rcode() == 2
    assert refused.question == dns.message.from_wire(raw).question
    answer = message.respond(raw, message.parse_query(raw), [])
    assert message.refuse(answer, message.FORMERR) == b""
    assert message.refuse(raw[:13], message.FORMERR)[3] & 15 == 1


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("2.1.0.10.in-addr.arpa", "10.0.1.2"),
        ("2.1.0.10.IN-ADDR.ARPA.", "10.0.1.2"),
        ("2." + "0." * 27 + "2.1.d.f.ip6.arpa", "fd12::2"),
        ("2.1.0.in-addr.arpa", None),
        ("x.1.0.10.in-addr.arpa", None),
        ("2.ip6.arpa", None),
        ("zz." + "0." * 30 + "ip6.arpa", None),
        ("web", None),
    ],
)
def test_reverse_names(name: str, address: str | None) -> None:
    assert message.reverse_address(name) == address


def test_only_an_answer_to_the_very_question_counts() -> None:
    raw = query("web.example")
    good = dns.message.make_response(dns.message.from_wire(raw)).to_wire()
    assert message.is_answer_to(raw, good)
    assert message.is_answer_to(raw, good.replace(b"web", b"WeB"))
    assert not message.is_answer_to(raw, b"\0\0" + good[2:])
    assert not message.is_answer_to(raw, raw)
    assert not message.is_answer_to(raw, good.replace(b"web", b"wob"))
    other_kind = dns.message.make_response(dns.message.make_query("web.example", "AAAA")).to_wire()
    assert not message.is_answer_to(raw, raw[:2] + other_kind[2:])
    assert not message.is_answer_to(raw, good[:11])
    bare = good[:2] + b"\x81\x85" + bytes(8)  # REFUSED, without the question
    assert message.is_answer_to(raw, bare)
    assert not message.is_answer_to(raw, good[:2] + b"\x81\x80" + bytes(8))


def response(*records: str, rcode: int = 0, authority: str = "") -> bytes:
    made = dns.message.make_response(dns.message.make_query("web.example", "A", use_edns=0))
    made.set_rcode(rcode)
    for record in records:
        made.answer.append(dns.rrset.from_text(*record.split()))
    if authority:
        name, ttl, klass, kind, data = authority.split(None, 4)
        made.authority.append(dns.rrset.from_text(name, int(ttl), klass, kind, data))
    return made.to_wire()


def test_lifetimes() -> None:
    soa = "example. 900 IN SOA a. b. 1 2 3 4 120"
    assert message.lifetime(response("web.example. 300 IN A 10.0.0.1")).seconds == 300
    both = response("web.example. 300 IN CNAME w.example.", "w.example. 30 IN A 10.0.0.1")
    assert message.lifetime(both).seconds == 30
    assert message.lifetime(response(authority=soa, rcode=3)).seconds == 120
    assert message.lifetime(response(rcode=3)).seconds == 0
    aged = message.aged(both, message.lifetime(both), 12)
    assert [r.ttl for r in dns.message.from_wire(aged).answer] == [288, 18]
    assert dns.message.from_wire(message.aged(both, message.lifetime(both), 999)).answer[0].ttl == 0


@given(st.binary(max_size=60), st.integers(12, 100))
def test_damaged_answers_have_a_lifetime_or_are_malformed(noise: bytes, at: int) -> None:
    raw = bytearray(response("web.example. 300 IN A 10.0.0.1", "w.example. 5 IN A 10.0.0.2"))
    raw[at : at + len(noise)] = noise
    try:
        life = message.lifetime(bytes(raw))
    except MalformedError:
        return
    assert len(message.aged(bytes(raw), life, 5)) == len(raw)
    assert all(offset + 4 <= len(raw) for offset in life.offsets)


def test_counts_that_lie_are_malformed() -> None:
    raw = bytearray(response("web.example. 300 IN A 10.0.0.1"))
    struct.pack_into(">H", raw, 6, 0xFFFF)
    with pytest.raises(MalformedError):
        message.lifetime(bytes(raw))


@given(names)
def test_names_are_encoded_as_dnspython_does(name: str) -> None:
    assert message.encode_name(name) == dns.name.from_text(name).to_wire()
