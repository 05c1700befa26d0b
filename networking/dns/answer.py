"""Queries to answers from the zone. Pure: what is not ours comes back as None, to be forwarded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from networking.dns import message

if TYPE_CHECKING:
    from networking.dns.message import Question
    from networking.dns.zone import View, Zone

#: Seconds an answer may be remembered: Docker's figure is 600; short, so that scaling is seen at once.
TTL = 5


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one query: the same records, each time beginning with another one."""

    query: bytes
    question: Question
    records: list[bytes]
    limit: int

    def __len__(self) -> int:
        return max(len(self.records), 1)

    def at(self, turn: int) -> bytes:
        """The answer of a turn."""
        start = turn % len(self)
        records = self.records[start:] + self.records[:start]
        return message.respond(self.query, self.question, records, limit=self.limit)


def answer_locally(
    query: bytes, question: Question, zone: Zone, view: View, *, udp: bool = True
) -> Answers | None:
    """The answers to a query about a name of the requester's networks; None if it is not ours."""
    if question.klass not in (message.INTERNET, message.ANY):
        return None
    if question.kind == message.PTR:
        address = message.reverse_address(question.name)
        owner = zone.owner(view, address) if address else None
        records = [message.pointer_record(owner, TTL)] if owner else None
    else:
        records = _address_records(question, zone, view)
    if records is None:
        return None
    return Answers(query, question, records, question.udp if udp else 0xFFFF)


def _address_records(question: Question, zone: Zone, view: View) -> list[bytes] | None:
    addresses = zone.addresses(view, question.name)
    if addresses is None:
        return None
    families = {message.A: (4,), message.AAAA: (6,), message.ANY: (4, 6)}.get(question.kind, ())
    return [
        message.address_record(address, TTL)
        for address in addresses
        if (6 if ":" in address else 4) in families
    ]
