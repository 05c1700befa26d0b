"""Answers from outside, remembered as long as their TTLs allow. Pure: the clock is the caller's.

What is kept is bounded in number and size; the oldest goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from networking.dns.message import (
    NOERROR,
    NXDOMAIN,
    Lifetime,
    MalformedError,
    Question,
    aged,
    is_truncated,
    lifetime,
    rcode,
)

#: Answers kept; the bytes of the longest; seconds at most, and for one that says "no such name".
ENTRIES, LONGEST, AT_MOST, AT_MOST_NEGATIVE = 4096, 4096, 3600, 60
#: Bytes of an OPT record without options: queries with options (cookies) are never the same twice.
PLAIN_OPT = 11


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer, when it came, and how long it lives."""

    answer: bytes
    came: float
    life: Lifetime
    expires: float


class Cache:
    """Answers by who was asked and what."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[object, bytes], Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, scope: object, query: bytes, question: Question, now: float) -> bytes | None:
        """The answer with its TTLs lessened by its age, in the letter case of the query."""
        key = (scope, _key(query, question))
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now >= entry.expires:
            del self._entries[key]
            return None
        answer = aged(entry.answer, entry.life, int(now - entry.came))
        return query[:2] + answer[2:12] + query[12 : question.end] + answer[question.end :]

    def put(
        self, scope: object, query: bytes, question: Question, answer: bytes, now: float
    ) -> None:
        """Remember an answer, if it may be."""
        if len(answer) > LONGEST or is_truncated(answer) or len(query) > question.end + PLAIN_OPT:
            return
        if rcode(answer) not in (NOERROR, NXDOMAIN) or answer[4:6] != b"\0\1":
            return
        try:
            life = lifetime(answer)
        except MalformedError:
            return
        negative = rcode(answer) == NXDOMAIN or answer[6:8] == b"\0\0"
        seconds = min(life.seconds, AT_MOST_NEGATIVE if negative else AT_MOST)
        if seconds <= 0:
            return
        self._entries[scope, _key(query, question)] = Entry(answer, now, life, now + seconds)
        while len(self._entries) > ENTRIES:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: the servers have changed."""
        self._entries.clear()


def _key(query: bytes, question: Question) -> bytes:
    """All that shapes an answer: flags, the question in lower case, EDNS; not the id."""
    name = question.end - 4
    return query[2:12] + query[12:name].lower() + query[name:]
