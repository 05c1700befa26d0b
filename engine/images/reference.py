"""Image names: read, completed and shown as Docker does. Pure.

Source: the grammar of distribution/reference: [host[:port]/]path[:tag][@digest].
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.errors import InvalidRequestError

DEFAULT_HOST = "docker.io"
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Reference:
    """A complete image name; `tag` is "" where there is only a digest."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def familiar_name(self) -> str:
        """The repository as people write it: without docker.io and library/."""
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.path}"
        return self.path.removeprefix("library/")

    @property
    def familiar(self) -> str:
        """Name with tag or digest, as people write it."""
        if self.tag:
            return f"{self.familiar_name}:{self.tag}"
        return f"{self.familiar_name}@{self.digest}"

    @property
    def registry(self) -> str:
        """The host that answers for the name."""
        return "registry-1.docker.io" if self.host == DEFAULT_HOST else self.host


def fits(name: str, pattern: str) -> bool:
    """Whether a complete familiar name is meant by a pattern of `--filter reference=`.

    The pattern is Go's path.Match (no * crosses a slash), of the name with or without its tag.
    """
    repository = name.partition("@")[0] if "@" in name else name.rpartition(":")[0]
    wanted = re.compile(_glob(pattern.removeprefix("docker.io/").removeprefix("library/")))
    return bool(wanted.fullmatch(name) or wanted.fullmatch(repository))


def _glob(pattern: str) -> str:
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        end = pattern.find("]", at + 2) if char == "[" else -1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif end > 0:
            out += f"[{re.escape(pattern[at + 1 : end]).replace(chr(92) + '-', '-').replace(chr(92) + '^', '^')}]"
            at = end
        else:
            out += re.escape(char)
        at += 1
    return out


def parse_reference(text: str) -> Reference:
    """A name with all that was left out filled in. Raises InvalidRequestError."""
    rest, _, digest = text.partition("@")
    if digest and not _DIGEST.fullmatch(digest):
        raise InvalidRequestError(f'invalid reference format: "{text}" has a broken digest')
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        host, path = head, tail
    else:
        host, path = DEFAULT_HOST, rest
    path, colon, tag = path.partition(":")
    if host in ("index.docker.io", "registry-1.docker.io"):
        host = DEFAULT_HOST
    if host == DEFAULT_HOST and "/" not in path:
        path = f"library/{path}"
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path) or len(path) > 255:
        why = "repository name must be lowercase" if path != path.lower() else "write name[:tag]"
        raise InvalidRequestError(f'invalid reference format: "{text}": {why}')
    if colon and not _TAG.fullmatch(tag):
        raise InvalidRequestError(f'invalid reference format: "{text}" has a broken tag')
    return Reference(host, path, tag or ("" if digest else "latest"), digest)
