"""COPY and ADD: what one instruction takes and where it puts it; sources opened, archives unpacked."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.build import files, remote, sources
from engine.build.archives import is_tar
from engine.build.dockerfile import fault
from engine.build.ignore import IgnoreRules, rules_of
from engine.build.ownership import parse_mode, read_owner
from engine.build.sources import Selection
from engine.build.variables import ExpansionError, Lookup, expand, expand_text
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
    repositories: tuple[remote.Repository, ...]
    inline: tuple[tuple[str, str], ...]
    destination: str
    origin: str = ""
    chown: str = ""
    chmod: str = ""
    checksum: str = ""
    rules: IgnoreRules = IgnoreRules()
    parents: bool = False
    link: bool = False
    keep_git: bool = False
    unpack: bool | None = None

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
    """The instruction with variables replaced. Raises InvalidRequestError."""
    line, name = instruction.line, instruction.name
    try:
        words = [expand(word, lookup, escape) for word in instruction.words]
        flags = {
            key: expand(instruction.flag(key) or "", lookup, escape)
            for key in ("chown", "chmod", "checksum")
        }
        excluded = [expand(text, lookup, escape) for text in instruction.all_flags("exclude")]
        documents = {f"<<{doc.name}": _inline(doc, lookup, escape) for doc in instruction.heredocs}
    except ExpansionError as error:
        raise fault(line, f"{name}: {error}") from error
    *taken, last = words
    if "$" in (instruction.flag("from") or ""):
        raise fault(
            line, f"{name} --from takes no variables: open a stage with FROM ${{...}} AS name"
        )
    if not last:
        raise fault(line, f"{name}: the destination is empty: name a path in the image")
    inline = [
        document for word in taken if (document := documents.get(_heredoc_key(word))) is not None
    ]
    plain = [word for word in taken if _heredoc_key(word) not in documents]
    found = {word: remote.parse_repository(word) for word in plain} if name == "ADD" else {}
    repositories = tuple(one for one in found.values() if one is not None)
    urls = tuple(
        word for word in found if word.startswith(("http://", "https://")) and not found[word]
    )
    if flags["checksum"] and (len(urls) + len(repositories) != 1 or len(taken) != 1):
        raise fault(line, "ADD --checksum goes with one http(s) or git source only")
    wanted = files.destination(working_dir, last)
    return CopyPlan(
        name, tuple(word for word in plain if word not in urls and not found.get(word)), urls,
        repositories, tuple(inline), wanted, instruction.flag("from") or "", flags["chown"], flags["chmod"],
        flags["checksum"], rules_of(excluded), _on(instruction, "parents"), _on(instruction, "link"),
        _on(instruction, "keep-git-dir"),
        None if instruction.flag("unpack") is None else _on(instruction, "unpack"),
    )  # fmt: skip


def _on(instruction: Instruction, flag: str) -> bool:
    """Whether a flag without value, or with "true", is there. Raises InvalidRequestError."""
    value = instruction.flag(flag)
    if value not in (None, "", "true", "false", "1", "0"):
        raise fault(instruction.line, f"--{flag}={value} is neither true nor false")
    return value in ("", "true", "1")


def _heredoc_key(word: str) -> str:
    return "<<" + word.removeprefix("<<").removeprefix("-") if word.startswith("<<") else word


def _inline(document: Heredoc, lookup: Lookup, escape: str) -> tuple[str, str]:
    text = document.text
    return document.name, expand_text(text, lookup, escape) if document.expand else text


def write_inline(plan: CopyPlan, folder: Path) -> None:
    """The here-documents as files. Blocking."""
    folder.mkdir(exist_ok=True)
    for name, content in plan.inline:
        path = folder / name
        path.write_text(content)
        path.chmod(0o644)
        os.utime(path, (0, 0))


async def fetch(plan: CopyPlan, folder: Path) -> None:
    """URLs and repositories into the folder. Raises EngineError, InvalidRequestError."""
    for url in plan.urls:
        await remote.download(url, folder, plan.checksum)
    for number, repository in enumerate(plan.repositories):
        place = folder / f"git-{number}"
        inside = await remote.clone(repository, place, keep_git=plan.keep_git, commit=plan.checksum)
        if inside != place.resolve():
            inside.rename(folder / f"inside-{number}")
            shutil.rmtree(place)
            (folder / f"inside-{number}").rename(place)


@contextmanager
def opened(
    plan: CopyPlan, origin: Origin, fetched: Path, *, extract: bool
) -> Iterator[tuple[Selection, ...]]:
    """What the instruction takes; with `extract`, ADD's archives as the folders they hold."""
    local = extract and plan.name == "ADD" and plan.unpack is not False
    with ExitStack() as stack:
        found: list[Selection] = []
        if plan.paths:
            root = stack.enter_context(origin_root(origin))
            for path, kept in sources.find(root, plan.paths, origin.name, parents=plan.parents):
                inner = _unpacked(root, path, origin.work, stack) if local else None
                one = Selection(root, (path,), plan.keep_owner, plan.rules, kept)
                found.append(inner or one)
        names = [name for name, _ in plan.inline] + [remote.file_name(url) for url in plan.urls]
        if names or plan.repositories:
            root = os.open(fetched, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, root)
            repositories = [f"git-{number}" for number in range(len(plan.repositories))]
            for name in (*names, *repositories):
                inner = (
                    _unpacked(root, name, origin.work, stack) if extract and plan.unpack else None
                )
                found.append(inner or Selection(root, (name,), rules=plan.rules))
        yield tuple(found)


@contextmanager
def origin_root(origin: Origin) -> Iterator[int]:
    """A held descriptor of where the paths are."""
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
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    with os.fdopen(fd, "rb") as stream:
        if not is_tar(stream):
            return None
        stream.seek(0)
        folder = work / f"archive-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
        folder.mkdir(mode=0o755)
        unpack_layer(open_tar(stream), folder)
    inside = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, inside)
    return Selection(inside, (".",), keep_owner=True)


def digests(plan: CopyPlan, origin: Origin, fetched: Path) -> list[str]:
    """The digests of all that would be copied, in order. Blocking."""
    with opened(plan, origin, fetched, extract=False) as selections:
        return [sources.digest(one) for one in selections]


def apply(
    plan: CopyPlan, origin: Origin, fetched: Path, lower: tuple[str, ...], work: Path
) -> Path:
    """Do it on top of the parent's layers; the upper folder with the change. Blocking.

    With --link it is done on top of nothing: what it makes then does not depend on what is below.
    """
    mode = parse_mode(plan.chmod) if plan.chmod else None
    owner = None
    if plan.chown:
        with files.mounted(lower, work / "owners") as root:
            owner = read_owner(root, plan.chown)
    target = work / "target"
    with opened(plan, origin, fetched, extract=True) as selections:
        placing = files.Placing(plan.destination, owner, mode, keep_parents=plan.parents)
        with files.mounted(() if plan.link else lower, target) as root:
            claimed = files.claim_empty(root, selections, placing) if origin.folder else None
            if claimed is None:
                files.place(root, selections, placing)
        if claimed is not None:
            placing = replace(placing, destination=f"{claimed}/", share=True)
            upper = os.open(target / "upper", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                files.place(upper, selections, placing)
            finally:
                os.close(upper)
    return target / "upper"
