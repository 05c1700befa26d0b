"""DNS messages as bytes: questions read, answers written, what came from outside measured. Pure.

Nothing a message says is believed before it is checked: lengths, counts, compression pointers.
Sources: RFC 1035 sections 3 and 4, RFC 6891 (EDNS), RFC 2308 (negative answers).
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

A, CNAME, SOA, PTR, AAAA, OPT, ANY = 1, 5, 6, 12, 28, 41, 255
INTERNET = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
#: Bytes of an answer by UDP without EDNS; what we offer and serve with it (fits any link's MTU).
PLAIN_UDP, EDNS_UDP = 512, 1232
_COUNTS = struct.Struct(">HHHHH")
_RECORD = struct.Struct(">HHIH")


class MalformedError(ValueError):
    """The bytes are no DNS message of the kind looked for."""


class Question(NamedTuple):
    """A query with its one question; `end` is where that ends, `udp` how much an answer may have."""

    name: str
    kind: int
    klass: int
    end: int
    udp: int
    edns: bool


def parse_query(query: bytes) -> Question:
    """The question of a standard query. Raises MalformedError."""
    if len(query) < 17 or query[2] & 0x80:
        raise MalformedError("not a query")
    if query[4:6] != b"\0\1":
        raise MalformedError("not one question")
    name, at = _plain_name(query)
    kind, klass = struct.unpack_from(">HH", query, at)
    end = at + 4
    edns, udp = False, PLAIN_UDP
    # The usual additional record is an OPT: root name, type 41, the size as its class.
    alone = query[6:10] == bytes(4) and query[10:12] == b"\0\1"
    if alone and len(query) >= end + 11 and query[end : end + 3] == b"\0\0\x29":
        edns = True
        (size,) = struct.unpack_from(">H", query, end + 3)
        udp = min(max(size, PLAIN_UDP), EDNS_UDP)
    return Question(name, kind, klass, end, udp, edns)


def _plain_name(message: bytes) -> tuple[str, int]:
    """The uncompressed name at the start of the question, and where it ends."""
    at, labels = 12, []
    while True:
        if at >= len(message):
            raise MalformedError("the name does not end")
        length = message[at]
        if length == 0:
            break
        if length > 63 or at - 12 + length > 254:
            raise MalformedError("a label is too long, or compressed in a question")
        labels.append(message[at + 1 : at + 1 + length])
        at += 1 + length
    if at + 5 > len(message):
        raise MalformedError("the question is cut off")
    return b".".join(labels).decode("latin-1"), at + 1


def opcode(query: bytes) -> int:
    """0 for a standard query."""
    return query[2] >> 3 & 15 if len(query) > 2 else 0


def respond(
    query: bytes, question: Question, records: list[bytes], *, limit: int = 0xFFFF
) -> bytes:
    """An authoritative answer; if it exceeds `limit` bytes, what fits of it, and marked so."""
    flags = 0x8480 | (query[2] & 1) << 8 | (query[3] & 0x10)
    extra = struct.pack(">BHHIH", 0, OPT, EDNS_UDP, 0, 0) if question.edns else b""
    space = limit - question.end - len(extra)
    if sum(map(len, records)) > space:
        flags |= 0x200
        while sum(map(len, records)) > space:
            records = records[: space // len(records[0])] if len(records) > 1 else []
    head = query[:2] + _COUNTS.pack(flags, 1, len(records), 0, 1 if extra else 0)
    return head + query[12 : question.end] + b"".join(records) + extra


def refuse(query: bytes, code: int) -> bytes:
    """An answer that says why there is none; b"" to what is no query: an answer would make a loop."""
    if len(query) < 12 or query[2] & 0x80:
        return b""
    flags = 0x8080 | (query[2] & 0x79) << 8 | code
    try:
        end = parse_query(query).end
    except MalformedError:
        return query[:2] + _COUNTS.pack(flags, 0, 0, 0, 0)
    return query[:2] + _COUNTS.pack(flags, 1, 0, 0, 0) + query[12:end]


def address_record(address: str, ttl: int) -> bytes:
    """An A or AAAA record of the name asked for."""
    raw = ip_address(address).packed
    kind = A if len(raw) == 4 else AAAA
    return struct.pack(">HHHIH", 0xC00C, kind, INTERNET, ttl, len(raw)) + raw


def pointer_record(target: str, ttl: int) -> bytes:
    """A PTR record of the name asked for."""
    data = encode_name(target)
    return struct.pack(">HHHIH", 0xC00C, PTR, INTERNET, ttl, len(data)) + data


def encode_name(name: str) -> bytes:
    """A name in labels; a label of over 63 bytes is cut (container names may have them)."""
    labels = [label[:63] for label in name.encode("latin-1", "replace").split(b".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def reverse_address(name: str) -> str | None:
    """The address that a name of in-addr.arpa or ip6.arpa stands for; None for others."""
    name = name.rstrip(".").lower()
    try:
        if name.endswith(".in-addr.arpa"):
            parts = name.removesuffix(".in-addr.arpa").split(".")
            return str(ip_address(".".join(reversed(parts))))
        if name.endswith(".ip6.arpa"):
            digits = "".join(reversed(name.removesuffix(".ip6.arpa").split(".")))
            return str(ip_address(bytes.fromhex(digits))) if len(digits) == 32 else None
    except ValueError:
        pass  # somebody's name for something else
    return None


def is_answer_to(query: bytes, data: bytes) -> bool:
    """Whether bytes from outside answer a query: id, direction, the very question, case aside."""
    if len(data) < 12 or data[:2] != query[:2] or not data[2] & 0x80:
        return False
    try:
        asked = parse_query(query)
        if data[4:6] == b"\0\0":  # some servers leave the question out when they refuse
            return rcode(data) in (FORMERR, SERVFAIL, NOTIMP, REFUSED)
        echoed = parse_query(data[:2] + bytes([data[2] & 0x7F]) + data[3:])
    except MalformedError:
        return False
    same = (asked.kind, asked.klass, asked.end) == (echoed.kind, echoed.klass, echoed.end)
    return same and asked.name.lower() == echoed.name.lower()


def rcode(message: bytes) -> int:
    """The response code."""
    return message[3] & 15


def is_truncated(message: bytes) -> bool:
    """Whether the TC bit is set."""
    return bool(message[2] & 2)


class Lifetime(NamedTuple):
    """How long an answer may be remembered, in seconds, and where its TTLs stand."""

    seconds: int
    offsets: tuple[int, ...]


def lifetime(message: bytes) -> Lifetime:
    """The least TTL of an answer; for one without records that of its SOA (RFC 2308 section 5).

    0 seconds where nothing says how long. Raises MalformedError.
    """
    if len(message) < 12:
        raise MalformedError("no message")
    questions, answers, authorities, additional = struct.unpack_from(">HHHH", message, 4)
    if questions > 1:
        raise MalformedError("more than one question")
    at = 12
    for _ in range(questions):
        at = skip_name(message, at) + 4
    least: int | None = None
    offsets = []
    for number in range(answers + authorities + additional):
        at = skip_name(message, at)
        if at + 10 > len(message):
            raise MalformedError("a record is cut off")
        kind, _, ttl, length = _RECORD.unpack_from(message, at)
        data = at + 10
        if data + length > len(message):
            raise MalformedError("a record's data is cut off")
        if kind != OPT:
            offsets.append(at + 4)
            ttl = 0 if ttl >> 31 else ttl  # RFC 2181 section 8
            if number < answers or (kind == SOA and not answers):
                if kind == SOA and number >= answers and length >= 22:
                    ttl = min(ttl, struct.unpack_from(">I", message, data + length - 4)[0])
                least = ttl if least is None else min(least, ttl)
        at = data + length
    return Lifetime(least or 0, tuple(offsets))


def skip_name(message: bytes, at: int) -> int:
    """Where a (compressed) name ends. Pointers end a name, so none can make a loop here."""
    while True:
        if at >= len(message):
            raise MalformedError("a name does not end")
        length = message[at]
        if length == 0:
            return at + 1
        if length & 0xC0 == 0xC0:
            return at + 2
        if length > 63:
            raise MalformedError("a label is too long")
        at += 1 + length


def aged(message: bytes, life: Lifetime, seconds: int) -> bytes:
    """The message with all its TTLs lessened."""
    out = bytearray(message)
    for offset in life.offsets:
        (ttl,) = struct.unpack_from(">I", out, offset)
        struct.pack_into(">I", out, offset, max(ttl - seconds, 0))
    return bytes(out)
