"""Queries to answers, as bytes. Pure: a query that is not ours comes back as None, to be forwarded.

Local names go a short way by hand; anything unusual is left to the upstream servers.
Source: RFC 1035 sections 3 and 4.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from networking.dns.zone import Zone

A, PTR, AAAA, ANY = 1, 12, 28, 255
#: Seconds an answer may be remembered: Docker's figure is 600; short, so that scaling is seen at once.
TTL = 5
NXDOMAIN, SERVFAIL, FORMERR, REFUSED = 3, 2, 1, 5
REVERSE = ".in-addr.arpa"


class MalformedQueryError(ValueError):
    """The bytes are no query."""


def parse_question(query: bytes) -> tuple[str, int, int]:
    """(name, type, where the question ends). Raises MalformedQueryError."""
    if len(query) < 17 or query[2] & 0x80 or query[4:6] != b"\0\1":
        raise MalformedQueryError("not a query with one question")
    at = 12
    labels = []
    while True:
        if at >= len(query):
            raise MalformedQueryError("the name does not end")
        length = query[at]
        if length == 0:
            break
        if length > 63 or at - 12 > 255:
            raise MalformedQueryError("a label is too long, or compressed in a question")
        labels.append(query[at + 1 : at + 1 + length])
        at += 1 + length
    if at + 5 > len(query):
        raise MalformedQueryError("the question is cut off")
    (kind,) = struct.unpack_from(">H", query, at + 1)
    return b".".join(labels).decode("latin-1"), kind, at + 5


def answer_locally(query: bytes, zone: Zone, networks: tuple[str, ...], turn: int) -> bytes | None:
    """The answer if the name is one of the zone's; `turn` rotates the addresses.

    Raises MalformedQueryError.
    """
    name, kind, end = parse_question(query)
    if kind == PTR and name.lower().endswith(REVERSE):
        return _answer_reverse(query, name, end, zone, networks)
    addresses = zone.addresses(networks, name)
    if addresses is None:
        return None
    records = b""
    count = 0
    if kind in (A, ANY):
        start = turn % len(addresses)
        for address in addresses[start:] + addresses[:start]:
            records += struct.pack(">HHHIH", 0xC00C, A, 1, TTL, 4) + IPv4Address(address).packed
            count += 1
    return _head(query, count) + query[12:end] + records


def refuse(query: bytes, code: int) -> bytes:
    """An answer without records that says why."""
    if len(query) < 12:
        return b""
    flags = 0x8080 | (query[2] & 1) << 8 | code
    return query[:2] + struct.pack(">HHHHH", flags, 0, 0, 0, 0)


def _head(query: bytes, answers: int) -> bytes:
    flags = 0x8480 | (query[2] & 1) << 8  # response, authoritative, recursion available
    return query[:2] + struct.pack(">HHHHH", flags, 1, answers, 0, 0)


def _answer_reverse(
    query: bytes, name: str, end: int, zone: Zone, networks: tuple[str, ...]
) -> bytes | None:
    parts = name.lower().removesuffix(REVERSE).split(".")
    owner = zone.owner(networks, ".".join(reversed(parts)))
    if owner is None:
        return None
    target = b"".join(bytes([len(p)]) + p for p in owner.encode("latin-1", "replace").split(b"."))
    data = target + b"\0"
    record = struct.pack(">HHHIH", 0xC00C, PTR, 1, TTL, len(data)) + data
    return _head(query, 1) + query[12:end] + record
