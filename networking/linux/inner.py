"""Rules inside a container's namespace: its name server answers at port 53 without having that port.

The server's sockets are bound at 127.0.0.11 on ports of the kernel's choice, so that a container may
itself serve DNS on every address. Port numbers are changed on the way out, without connection
tracking, which would cost every packet of the container something.
"""

from __future__ import annotations

import errno
import struct
from functools import cache
from ipaddress import IPv4Address

from networking.linux import nft

TABLE, CHAIN = "pycompose-dns", "output"
ADDRESS, PORT = IPv4Address("127.0.0.11"), 53
_OUTPUT, _L4PROTO = 3, 16
#: Protocol numbers, and where a transport header has its checksum.
_UDP, _TCP = (17, 6), (6, 16)


def redirect_names(udp_port: int, tcp_port: int) -> None:
    """Set the rules of the namespace that this thread is in. Raises NftError.

    In a new namespace nothing is deleted: after a deletion, closing the socket waits for the kernel
    to have cleaned up, some 10 ms, and one worker serves all containers.
    """
    rules = name_server(udp_port, tcp_port)
    try:
        nft.apply_batch([nft.table(nft.IPV4, TABLE, new=True), *rules])
    except nft.NftError as error:
        if error.errno != errno.EEXIST:
            raise
        table = nft.table(nft.IPV4, TABLE)
        nft.apply_batch([table, nft.table(nft.IPV4, TABLE, delete=True), table, *rules])


def name_server(udp_port: int, tcp_port: int) -> list[nft.Message]:
    """What is in the table."""
    out = [nft.chain(nft.IPV4, TABLE, CHAIN, "filter", _OUTPUT, -300)]
    for (protocol, checksum), port in ((_UDP, udp_port), (_TCP, tcp_port)):
        asked, answered, restored = _whichever_port(protocol, checksum)
        out.append(_rule(asked, nft.rewrite(2, 2, _word(port), checksum)))
        out.append(_rule(answered, _is(0, _word(port), 2), restored))
    return out


@cache
def _whichever_port(protocol: int, checksum: int) -> tuple[bytes, bytes, bytes]:
    """What is the same in every container: a question, an answer, and the port it is to come from."""
    kind = nft.meta(_L4PROTO, nft.REG1) + nft.compare(nft.REG1, bytes([protocol]))
    return (
        _is(16, ADDRESS.packed, 1) + kind + _is(2, _word(PORT), 2),
        _is(12, ADDRESS.packed, 1) + kind,
        nft.rewrite(2, 0, _word(PORT), checksum),
    )


def _rule(*expressions: bytes) -> nft.Message:
    return nft.rule(nft.IPV4, TABLE, CHAIN, *expressions)


def _is(offset: int, value: bytes, base: int) -> bytes:
    return nft.payload(base, offset, len(value), nft.REG1) + nft.compare(nft.REG1, value)


def _word(port: int) -> bytes:
    return struct.pack(">H", port)
