"""nftables by hand: the engine's table as one atomic batch, and its sets changed element by element.

Rules of the rules: everything is in tables of our own; what changes with a network, an endpoint or a
port is a set's element, never a rule. Sources: nft(8), linux/netfilter/nf_tables.h. Integers in
attributes are big-endian; interface names are 16 bytes, zero-padded.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import closing
from dataclasses import dataclass

NETLINK_NETFILTER = 12
NFNL_SUBSYS_NFTABLES = 10
NEWTABLE, GETTABLE, DELTABLE, GETCHAIN = 0, 1, 2, 4
NEWCHAIN, NEWRULE, NEWSET, NEWSETELEM, DELSETELEM = 3, 6, 9, 12, 14
NLMSG_ERROR, NLMSG_DONE = 2, 3
#: Errors that say that what is to be deleted is not there: ENOENT.
GONE = (2,)
#: Seconds in which the kernel must have answered; it does so before `send` returns.
PATIENCE = 10.0
CREATE, EXCLUSIVE = 0x400, 0x200
INET, IPV4, BRIDGE = 1, 2, 7
ACCEPT, DROP = 1, 0
REG1, REG2, WORD = 1, 2, tuple(range(8, 24))
LOOKUP_INVERTED = 1


class NftError(OSError):
    """The kernel refused a batch; nothing of it is in effect."""


def attr(kind: int, value: bytes) -> bytes:
    """One attribute."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nest(kind: int, *parts: bytes) -> bytes:
    """A nested attribute."""
    return attr(kind | 0x8000, b"".join(parts))


def name(kind: int, value: str) -> bytes:
    """A name."""
    return attr(kind, value.encode() + b"\0")


def be32(kind: int, value: int) -> bytes:
    """A number."""
    return attr(kind, struct.pack(">I", value & 0xFFFFFFFF))


def expression(kind: str, *attributes: bytes) -> bytes:
    """One expression of a rule."""
    return nest(1, name(1, kind), nest(2, *attributes))


def meta(key: int, register: int) -> bytes:
    """Load packet metadata: 1 protocol, 4 iif, 5 oif, 6 iifname, 15 nfproto, 16 l4proto."""
    return expression("meta", be32(2, key), be32(1, register))


def payload(base: int, offset: int, length: int, register: int) -> bytes:
    """Load packet bytes; base 0 link, 1 network, 2 transport layer."""
    return expression("payload", be32(1, register), be32(2, base), be32(3, offset), be32(4, length))


def compare(register: int, value: bytes, *, equal: bool = True) -> bytes:
    """Go on only if the register equals (or differs from) a value."""
    return expression("cmp", be32(1, register), be32(2, 0 if equal else 1), nest(3, attr(1, value)))


def masked(register: int, mask: bytes) -> bytes:
    """register &= mask."""
    zero = bytes(len(mask))
    return expression(
        "bitwise",
        be32(1, register),
        be32(2, register),
        be32(3, len(mask)),
        nest(4, attr(1, mask)),
        nest(5, attr(1, zero)),
    )


def lookup(
    set_name: str, register: int, *, into: int | None = None, inverted: bool = False
) -> bytes:
    """Go on only if the register is (or is not) in a set; a map's value goes `into` a register."""
    parts = [name(1, set_name), be32(2, register)]
    if into is not None:
        parts.append(be32(3, into))
    if inverted:
        parts.append(be32(5, LOOKUP_INVERTED))
    return expression("lookup", *parts)


def local_destination() -> bytes:
    """Go on only if the destination is an address of this host (fib daddr type local)."""
    fib = expression("fib", be32(1, REG1), be32(2, 3), be32(3, 2))
    return fib + compare(REG1, struct.pack("=I", 2))


def conntrack(key: int, mask: int) -> bytes:
    """Go on only if a conntrack field (0 state, 2 status) has one of some bits."""
    bits = struct.pack("=I", mask)
    load = expression("ct", be32(2, key), be32(1, REG1))
    return load + masked(REG1, bits) + compare(REG1, bytes(4), equal=False)


def rewrite(base: int, offset: int, value: bytes, checksum: int) -> bytes:
    """Write packet bytes, and keep the Internet checksum at an offset of the same header right."""
    load = expression("immediate", be32(1, REG1), nest(2, attr(1, value)))
    return load + expression(
        "payload",
        be32(5, REG1),
        be32(2, base),
        be32(3, offset),
        be32(4, len(value)),
        be32(6, 1),
        be32(7, checksum),
    )


def destination_nat(family: int, address: int, port: int) -> bytes:
    """DNAT to the address (of AF_INET or AF_INET6) and port in two registers."""
    return expression("nat", be32(1, 1), be32(2, family), be32(3, address), be32(5, port))


def masquerade() -> bytes:
    """Source NAT to the outgoing interface's address."""
    return expression("masq")


def verdict(code: int) -> bytes:
    """accept or drop."""
    return expression("immediate", be32(1, 0), nest(2, nest(2, be32(1, code))))


@dataclass(frozen=True, slots=True)
class Message:
    """One nf_tables message of a batch."""

    kind: int
    family: int
    body: bytes
    flags: int = 0


def table(
    family: int, table_name: str, *, delete: bool = False, new: bool = False, comment: str = ""
) -> Message:
    """Make or delete a table with all that is in it; a `new` one must not be there (EEXIST)."""
    flags = 0 if delete else CREATE | (EXCLUSIVE if new else 0)
    body = name(1, table_name)
    if comment:  # as nft(8) keeps it: kind 0, its length, the words
        words = comment.encode() + b"\0"
        body += attr(6, bytes([0, len(words)]) + words)
    return Message(DELTABLE if delete else NEWTABLE, family, body, flags)


def chain(
    family: int, table_name: str, chain_name: str, kind: str, hook: int, priority: int
) -> Message:  # a base chain is this
    """A base chain; hooks: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting. Policy accept."""
    body = (
        name(1, table_name)
        + name(3, chain_name)
        + nest(4, be32(1, hook), be32(2, priority))
        + name(7, kind)
    )
    return Message(NEWCHAIN, family, body, CREATE)


def rule(family: int, table_name: str, chain_name: str, *expressions: bytes) -> Message:
    """Append a rule."""
    body = name(1, table_name) + name(2, chain_name) + nest(4, *expressions)
    return Message(NEWRULE, family, body, CREATE | 0x800)


@dataclass(frozen=True, slots=True)
class SetShape:
    """A set, or a map if it has data: type numbers and lengths in bytes of key and data."""

    name: str
    key_type: int
    key_length: int
    data_type: int = 0
    data_length: int = 0
    interval: bool = False


def make_set(family: int, table_name: str, shape: SetShape, number: int) -> Message:
    """Make a set; `number` identifies it in its batch."""
    flags = (4 if shape.interval else 0) | (8 if shape.data_length else 0)
    body = name(1, table_name) + name(2, shape.name)
    body += be32(3, flags) + be32(4, shape.key_type) + be32(5, shape.key_length)
    if shape.data_length:
        body += be32(6, shape.data_type) + be32(7, shape.data_length)
    return Message(NEWSET, family, body + be32(10, number), CREATE)


def element(  # an element's shape
    family: int,
    table_name: str,
    set_name: str,
    key: bytes,
    *,
    data: bytes = b"",
    end: bytes = b"",
    delete: bool = False,
) -> Message:
    """Add or delete an element; `end` (exclusive) makes it an interval."""
    one = nest(
        1,
        *([be32(3, 0)] if end else []),
        nest(1, attr(1, key)),
        *([nest(2, attr(1, data))] if data else []),
    )
    parts = [one]
    if end:
        parts.append(nest(1, be32(3, 1), nest(1, attr(1, end))))
    body = name(1, table_name) + name(2, set_name) + nest(3, *parts)
    return Message(DELSETELEM if delete else NEWSETELEM, family, body, 0 if delete else CREATE)


class Tables:
    """A NETLINK_NETFILTER socket of the namespace it was made in; to be kept open.

    Closing one soon after a deletion waits for the kernel to have cleaned up: some 10 ms each time.
    """

    def __init__(self) -> None:
        self._socket = _open()
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def apply(self, messages: list[Message]) -> None:
        """All or none. Raises NftError with the kernel's reason and the message's place."""
        first = self._sequence + 1
        last = self._sequence = self._sequence + len(messages)
        batch = [_envelope(0x10, 0, 0, 0, 10, b"")]
        for sequence, message in enumerate(messages, start=first):
            # One acknowledgement tells of the whole batch; what fails is told in any case.
            flags = message.flags | (4 if sequence == last else 0)
            kind = NFNL_SUBSYS_NFTABLES << 8 | message.kind
            batch.append(_envelope(kind, flags, sequence, message.family, 0, message.body))
        batch.append(_envelope(0x11, 0, 0, 0, 10, b""))
        self._socket.send(b"".join(batch))
        failed: NftError | None = None
        done = False
        while not done:
            for kind, sequence, body in _messages(self._socket.recv(1 << 16)):
                if kind != NLMSG_ERROR or 0 < sequence < first:
                    continue
                code = struct.unpack_from("=i", body)[0]
                if code and failed is None:
                    words = f"nftables message {sequence - first + 1}: {os.strerror(-code)}"
                    failed = NftError(-code, words)
                done = done or sequence == last or bool(code and sequence == 0)
        if failed:
            raise failed

    def forget(self, messages: list[Message]) -> None:
        """Apply deletions; what is not there (any more) is no error. Raises NftError for others."""
        try:
            self.apply(messages)
        except NftError as error:
            if error.errno not in GONE:
                raise
            for message in messages if len(messages) > 1 else ():
                try:
                    self.apply([message])
                except NftError as single:
                    if single.errno not in GONE:
                        raise


def apply_batch(messages: list[Message]) -> None:
    """Apply messages all or none in the namespace that this thread is in. Raises NftError."""
    with closing(Tables()) as opened:
        opened.apply(messages)


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is there; `comment` is its maker's, "" for none."""

    family: int
    name: str
    comment: str = ""


def tables() -> list[tuple[int, str]]:
    """(family, name) of every table of this network namespace."""
    return [(table.family, table.name) for table in described_tables()]


def described_tables() -> list[Table]:
    """Every table of this network namespace."""
    found: list[Table] = []
    with _open() as netlink:
        netlink.send(_envelope(NFNL_SUBSYS_NFTABLES << 8 | GETTABLE, 0x300, 1, 0, 0, b""))
        while True:
            for kind, _, body in _messages(netlink.recv(1 << 16)):
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    return found
                facts = dict(attributes(body[4:]))
                words = facts.get(6, b"")
                comment = words[2:].rstrip(b"\0") if words[:1] == b"\0" else b""
                found.append(
                    Table(
                        body[0], facts[1].rstrip(b"\0").decode(), comment.decode("utf-8", "replace")
                    )
                )


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that the kernel calls at a hook; `drops` what none of its rules takes."""

    family: int
    table: str
    name: str
    hook: int
    drops: bool


def base_chains() -> list[BaseChain]:
    """Every base chain of this network namespace (NFT_MSG_GETCHAIN; iptables-nft's are among them)."""
    found: list[BaseChain] = []
    with _open() as netlink:
        netlink.send(_envelope(NFNL_SUBSYS_NFTABLES << 8 | GETCHAIN, 0x300, 1, 0, 0, b""))
        while True:
            for kind, _, body in _messages(netlink.recv(1 << 16)):
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    return found
                facts = dict(attributes(body[4:]))
                hook = dict(attributes(facts.get(4, b"")))
                if 1 in hook:
                    table_name, chain_name = (facts[n].rstrip(b"\0").decode() for n in (1, 3))
                    number = int.from_bytes(hook[1], "big")
                    drops = facts.get(5) == bytes(4)
                    found.append(BaseChain(body[0], table_name, chain_name, number, drops))


def attributes(data: bytes) -> list[tuple[int, bytes]]:
    """(kind, value) of each attribute, flags taken off the kind."""
    found = []
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            break
        found.append((kind & 0x3FFF, data[4:size]))
        data = data[(size + 3) & ~3 :]
    return found


def _open() -> socket.socket:
    netlink = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER
    )
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        netlink.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
    netlink.settimeout(PATIENCE)
    return netlink


def _envelope(
    kind: int, flags: int, sequence: int, family: int, resource: int, body: bytes
) -> bytes:  # struct nlmsghdr and nfgenmsg
    head = struct.pack("=IHHII", 20 + len(body), kind, flags | 1, sequence, 0)
    return head + struct.pack("=BBH", family, 0, socket.htons(resource)) + body


def _messages(data: bytes) -> list[tuple[int, int, bytes]]:
    """(type, sequence, body) of each message in a datagram."""
    found = []
    while len(data) >= 16:
        size, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
        found.append((kind, sequence, data[16:size]))
        data = data[(size + 3) & ~3 :]
    return found
