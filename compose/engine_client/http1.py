"""HTTP/1.1 as a client of one engine speaks it: a request's bytes out, an answer's bytes in. Sans-IO.

Why not h11: its import takes 18 ms, a third of all the time that `ps` may take. What is needed here
is small, for we choose our requests: Content-Length or chunked, no folding, no trailers of use.

Rules: one reader for one answer; bytes may come in any pieces; what follows a 101 is not HTTP, it
is kept as `rest` for whoever takes the connection over.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HEAD = 1 << 16
#: What stands for itself in a query (RFC 3986, 2.3).
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class WireError(Exception):
    """The peer does not speak HTTP, or stopped in the middle of an answer."""


def encode_head(
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    length: int | None,
    upgrade: bool = False,
) -> bytes:
    """A request's head. `length` None announces a chunked body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: engine", "User-Agent: pycompose"]
    if length is None:
        lines.append("Transfer-Encoding: chunked")
    elif length or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {length}")
    if upgrade:
        lines += ["Connection: Upgrade", "Upgrade: tcp"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join(lines)
    if "\n" in text.replace("\r\n", ""):
        raise WireError("a header with a line break in it")
    return (text + "\r\n\r\n").encode("latin-1", "replace")


def encode_chunk(data: bytes) -> bytes:
    """One piece of a chunked body; b"" is its end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def encode_query(pairs: Mapping[str, str | list[str]]) -> str:
    """ "?a=b&c=d", or "" for none; a list is one key several times."""
    flat = [
        (key, value)
        for key, values in pairs.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    text = "&".join(f"{encoded(key)}={encoded(value)}" for key, value in flat)
    return f"?{text}" if text else ""


def encoded(text: str) -> str:
    """Percent-encoded. Not urllib's quote: its import is 5 ms of the start of every command."""
    return "".join(chr(one) if one in UNRESERVED else f"%{one:02X}" for one in text.encode())


class ResponseReader:
    """One answer. `head_done` once status and headers are known, `done` after the body's end."""

    def __init__(self, method: str) -> None:
        self.status = 0
        self.reason = ""
        self.headers: dict[str, str] = {}
        self.head_done = False
        self.done = False
        self.upgraded = False
        self.rest = b""
        self._method = method
        self._buffer = bytearray()
        self._left: int | None = (
            None  # of a body or chunk with a length; None: until the end of file
        )
        self._chunked = False
        self._in_chunk = False

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request after this answer."""
        return (
            self.done
            and not self.upgraded
            and (self._chunked or self._left is not None)
            and self.headers.get("connection", "").lower() != "close"
            and not self.rest
        )

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes in; returns the pieces of the body in them. b"" is the end of file."""
        if not data:
            self._end_of_file()
            return []
        self._buffer += data
        while not self.head_done:
            if not self._read_head():
                return []
        pieces: list[bytes] = []
        while not self.done and self._buffer:
            piece = self._read_chunked() if self._chunked else self._read_plain()
            if piece is None:
                break
            if piece:
                pieces.append(piece)
        if self.done and self._buffer:
            self.rest += bytes(self._buffer)
            self._buffer.clear()
        return pieces

    def _end_of_file(self) -> None:
        if not self.head_done:
            raise WireError("the connection was closed before an answer came")
        if self.done:
            return
        if self._chunked or self._left is not None:
            raise WireError("the connection was closed in the middle of an answer")
        self.done = True

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise WireError("the head of the answer has no end")
            return False
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        version, _, rest = lines[0].partition(" ")
        code, _, self.reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or not code.isdigit():
            raise WireError(f"not an HTTP answer: {lines[0][:60]!r}")
        self.status = int(code)
        self.headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if 100 <= self.status < 200 and self.status != 101:
            return True  # "100 Continue": the answer itself follows
        self.head_done = True
        self._plan_body()
        return True

    def _plan_body(self) -> None:
        if self.status == 101:
            self.upgraded = self.done = True
        elif self._method == "HEAD" or self.status in (204, 304):
            self._left, self.done = 0, True
        elif "chunked" in self.headers.get("transfer-encoding", "").lower():
            self._chunked = True
        elif "content-length" in self.headers:
            self._left = int(self.headers["content-length"])
            self.done = self._left == 0

    def _read_plain(self) -> bytes | None:
        if self._left is None:
            piece = bytes(self._buffer)
            self._buffer.clear()
            return piece
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        self.done = self._left == 0
        return piece

    def _read_chunked(self) -> bytes | None:
        if self._in_chunk:
            assert self._left is not None
            piece = bytes(self._buffer[: self._left])
            if piece:
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                return piece
            if len(self._buffer) < 2:
                return None
            del self._buffer[:2]  # the line break after a chunk
            self._in_chunk = False
            return b""
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        size = int(bytes(self._buffer[:end]).partition(b";")[0], 16)
        if size == 0:
            # Trailers up to an empty line; engines send none that matter.
            stop = self._buffer.find(b"\r\n\r\n", end)
            if stop < 0:
                return None
            del self._buffer[: stop + 4]
            self.done = True
            return b""
        del self._buffer[: end + 2]
        self._left, self._in_chunk = size, True
        return b""
