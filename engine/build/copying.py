"""COPY and ADD: what one instruction takes and where it puts it; sources opened, archives unpacked."""

from __future__ import annotations

import email.utils
import hashlib
import os
import posixpath
import stat
import tarfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from engine.build import files, sources
from engine.build.dockerfile import fault
from engine.build.ignore import IgnoreRules, rules_of
from engine.build.ownership import parse_mode, read_owner
from engine.build.sources import Selection
from engine.build.variables import ExpansionError, Lookup, expand, expand_text
from engine.errors import EngineError, InvalidRequestError, NotSupportedError
from engine.images.compression import open_tar
from engine.images.unpack import unpack_layer
from engine.runtime.mounting import open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.build.dockerfile import Heredoc, Instruction


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """One COPY or ADD, expanded. `inline` are here-documents: (name, content)."""

    name: str
    paths: tuple[str, ...]
    urls: tuple[str, ...]
    inline: tuple[tuple[str, str], ...]
    destination: str
    origin: str = ""
    chown: str = ""
    chmod: str = ""
    checksum: str = ""
    rules: IgnoreRules = IgnoreRules()

    @property
    def keep_owner(self) -> bool:
        """What comes from an image keeps its owners unless --chown says otherwise."""
        return bool(self.origin) and not self.chown


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the paths are: the context's folder, or an image's layers mounted over `work`."""

    folder: Path | None
    lower: tuple[str, ...]
    work: Path
    name: str = "build context"


def plan_copy(instruction: Instruction, lookup: Lookup, escape: str, working_dir: str) -> CopyPlan:
    """The instruction with variables replaced. Raises InvalidRequestError, NotSupportedError."""
    line, name = instruction.line, instruction.name
    for flag in ("parents", "keep-git-dir"):
        if instruction.flag(flag) not in (None, "false"):
            raise NotSupportedError(f"Dockerfile:{line}: {name} --{flag} is not supported")
    try:
        words = [expand(word, lookup, escape) for word in instruction.words]
        flags = {
            key: expand(instruction.flag(key) or "", lookup, escape)
            for key in ("chown", "chmod", "checksum")
        }
        documents = {f"<<{doc.name}": _inline(doc, lookup, escape) for doc in instruction.heredocs}
    except ExpansionError as error:
        raise fault(line, f"{name}: {error}") from error
    *taken, last = words
    if not last:
        raise fault(line, f"{name}: the destination is empty: name a path in the image")
    inline = [
        document for word in taken if (document := documents.get(_heredoc_key(word))) is not None
    ]
    plain = [word for word in taken if _heredoc_key(word) not in documents]
    urls = tuple(word for word in plain if name == "ADD" and _is_remote(word, line))
    if flags["checksum"] and (len(urls) != 1 or len(taken) != 1):
        raise fault(line, "ADD --checksum goes with one http(s) source only")
    wanted = files.destination(working_dir, last)
    return CopyPlan(
        name, tuple(word for word in plain if word not in urls), urls, tuple(inline), wanted,
        instruction.flag("from") or "", flags["chown"], flags["chmod"], flags["checksum"],
        rules_of(instruction.all_flags("exclude")),
    )  # fmt: skip


def _heredoc_key(word: str) -> str:
    return "<<" + word.removeprefix("<<").removeprefix("-") if word.startswith("<<") else word


def _inline(document: Heredoc, lookup: Lookup, escape: str) -> tuple[str, str]:
    text = document.text
    return document.name, expand_text(text, lookup, escape) if document.expand else text


def _is_remote(word: str, line: int) -> bool:
    if word.startswith("git@") or (
        word.startswith("https://") and word.partition("#")[0].endswith(".git")
    ):
        raise NotSupportedError(
            f"Dockerfile:{line}: ADD of a git repository is not supported: clone it in a RUN"
        )
    return word.startswith(("http://", "https://"))


def write_inline(plan: CopyPlan, folder: Path) -> None:
    """The here-documents as files. Blocking."""
    folder.mkdir(exist_ok=True)
    for name, content in plan.inline:
        path = folder / name
        path.write_text(content)
        path.chmod(0o644)
        os.utime(path, (0, 0))


async def download(url: str, folder: Path, checksum: str) -> str:
    """Fetch a URL into the folder; the file's name. Raises EngineError, InvalidRequestError."""
    import httpx
    import trio

    name = posixpath.basename(unquote(urlsplit(url).path))
    if not name or name in (".", "..") or "\0" in name:
        raise InvalidRequestError(f"cannot tell a file name from {url}: add one to its path")
    running = hashlib.sha256()
    path = folder / name
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=60) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
            await trio.open_file(path, "wb") as target,
        ):
            if response.status_code >= 400:
                raise EngineError(f"ADD {url}: the server answered {response.status_code}")
            modified = response.headers.get("Last-Modified", "")
            async for chunk in response.aiter_raw():
                running.update(chunk)
                await target.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EngineError(f"ADD {url}: {error or type(error).__name__}") from error
    if checksum and checksum != f"sha256:{running.hexdigest()}":
        raise InvalidRequestError(
            f"ADD {url}: its digest is sha256:{running.hexdigest()}, not {checksum}"
        )
    path.chmod(0o600)
    moment = email.utils.parsedate(modified)
    seconds = email.utils.mktime_tz((*moment[:9], 0)) if moment else 0
    os.utime(path, (seconds, seconds))
    return name


@contextmanager
def opened(
    plan: CopyPlan, origin: Origin, fetched: Path, *, extract: bool
) -> Iterator[tuple[Selection, ...]]:
    """What the instruction takes; with `extract`, ADD's local archives as the folders they hold."""
    with ExitStack() as stack:
        found: list[Selection] = []
        if plan.paths:
            root = stack.enter_context(_origin_root(origin))
            paths = sources.find(root, plan.paths, origin.name)
            for path in paths:
                inner = (
                    _unpacked(root, path, origin.work, stack)
                    if _may_unpack(plan, extract)
                    else None
                )
                found.append(inner or Selection(root, (path,), plan.keep_owner, plan.rules))
        names = [name for name, _ in plan.inline]
        names += [posixpath.basename(unquote(urlsplit(url).path)) for url in plan.urls]
        if names:
            root = os.open(fetched, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, root)
            found.append(Selection(root, tuple(names)))
        yield tuple(found)


def _may_unpack(plan: CopyPlan, extract: bool) -> bool:  # noqa: FBT001 -- private, one caller
    return extract and plan.name == "ADD"


@contextmanager
def _origin_root(origin: Origin) -> Iterator[int]:
    if origin.folder is None:
        with files.mounted(origin.lower, origin.work / "origin") as root:
            yield root
        return
    root = os.open(origin.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield root
    finally:
        os.close(root)


def _unpacked(root: int, path: str, work: Path, stack: ExitStack) -> Selection | None:
    """The folder an archive holds, None if the source is no archive."""
    fd = open_in_root(root, f"/{path}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode) or not is_tar(stream):
            return None
        stream.seek(0)
        folder = work / f"archive-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
        folder.mkdir(mode=0o755)
        unpack_layer(open_tar(stream), folder)
    inside = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, inside)
    return Selection(inside, (".",), keep_owner=True)


def is_tar(stream: IO[bytes]) -> bool:
    """Whether a file is a tar, compressed or not, by its first block."""
    from lzma import LZMAError

    from zstandard import ZstdError

    block = b""
    try:
        reader = open_tar(stream)
        while len(block) < tarfile.BLOCKSIZE and (
            chunk := reader.read(tarfile.BLOCKSIZE - len(block))
        ):
            block += chunk
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (InvalidRequestError, tarfile.TarError, zlib.error, LZMAError, ZstdError):
        return False
    return True


def digests(plan: CopyPlan, origin: Origin, fetched: Path) -> list[str]:
    """The digests of all that would be copied, in order. Blocking."""
    with opened(plan, origin, fetched, extract=False) as selections:
        return [f"{_kind(one)}:{sources.digest(one)}" for one in selections]


def _kind(selection: Selection) -> str:
    if len(selection.paths) > 1:
        return "multi"
    folder = sources.open_folder(selection.root, selection.paths[0])
    if folder is None:
        return "file"
    os.close(folder)
    return "dir"


def apply(
    plan: CopyPlan, origin: Origin, fetched: Path, lower: tuple[str, ...], work: Path
) -> Path:
    """Do it on top of the parent's layers; the upper folder with the change. Blocking."""
    mode = parse_mode(plan.chmod) if plan.chmod else None
    with (
        opened(plan, origin, fetched, extract=True) as selections,
        files.mounted(lower, work / "target") as root,
    ):
        owner = read_owner(root, plan.chown) if plan.chown else None
        files.place(root, selections, files.Placing(plan.destination, owner, mode))
    return work / "target" / "upper"
