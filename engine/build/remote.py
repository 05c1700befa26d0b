"""What a build takes from elsewhere: files by http(s), and git repositories (where git is installed).

Sources: the Dockerfile reference (ADD), https://docs.docker.com/build/concepts/context/#git-repositories.
"""

from __future__ import annotations

import email.utils
import hashlib
import os
import posixpath
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import trio

from engine.errors import EngineError, HostLimitError, InvalidRequestError, NotSupportedError

if TYPE_CHECKING:
    from pathlib import Path

_SCP = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:.+")
#: How long a git program may take, in seconds.
GIT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Repository:
    """A git URL with what follows its "#": a branch, tag or commit, and a folder below its top."""

    url: str
    ref: str = ""
    folder: str = ""


def parse_repository(text: str) -> Repository | None:
    """The repository that a source names, None if it is none. Pure."""
    url, _, fragment = text.partition("#")
    base, _, query = url.partition("?")
    http = base.startswith(("http://", "https://")) and base.endswith(".git")
    if not (http or base.startswith(("git://", "ssh://", "git@")) or _SCP.fullmatch(base)):
        return None
    ref, _, folder = fragment.partition(":")
    for key, values in parse_qs(query).items():
        if key in ("ref", "branch", "tag", "commit"):
            ref = values[-1]
        elif key == "subdir":
            folder = values[-1]
    return Repository(base, ref, folder)


def file_name(url: str) -> str:
    """The name of what a URL leads to. Raises InvalidRequestError."""
    name = posixpath.basename(unquote(urlsplit(url).path))
    if not name or name in (".", "..") or "\0" in name:
        raise InvalidRequestError(f"cannot tell a file name from {url}: add one to its path")
    return name


async def download(url: str, folder: Path, checksum: str = "") -> str:
    """Fetch a URL into the folder; the file's name. Raises EngineError, InvalidRequestError."""
    import httpx

    name = file_name(url)
    running = hashlib.sha256()
    path = folder / name
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=60) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
            await trio.open_file(path, "wb") as target,
        ):
            if response.status_code >= 400:
                raise EngineError(f"{url}: the server answered {response.status_code}")
            modified = response.headers.get("Last-Modified", "")
            async for chunk in response.aiter_raw():
                running.update(chunk)
                await target.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EngineError(f"{url}: {error or type(error).__name__}") from error
    if checksum and checksum != f"sha256:{running.hexdigest()}":
        raise InvalidRequestError(
            f"{url}: digest mismatch: it is sha256:{running.hexdigest()}, not {checksum}"
        )
    path.chmod(0o600)
    moment = email.utils.parsedate(modified)
    seconds = email.utils.mktime_tz((*moment[:9], 0)) if moment else 0
    os.utime(path, (seconds, seconds))
    return name


async def clone(repository: Repository, folder: Path, *, keep_git: bool, commit: str = "") -> Path:
    """Check a repository out into a new folder; the folder asked for inside it.

    `commit` is what it must be. Raises HostLimitError without git, EngineError, InvalidRequestError.
    """
    if shutil.which("git") is None:
        raise HostLimitError(f"{repository.url}: git is not installed: install it on this host")
    if repository.ref.startswith("-") or repository.url.startswith("-"):
        raise InvalidRequestError(f"{repository.url}#{repository.ref} is no git repository")
    await trio.to_thread.run_sync(folder.mkdir)
    await _git(folder, "init", "--quiet")
    await _git(folder, "remote", "add", "origin", repository.url)
    wanted = repository.ref or "HEAD"
    try:
        await _git(folder, "fetch", "--quiet", "--depth=1", "origin", wanted)
        await _git(folder, "checkout", "--quiet", "--detach", "FETCH_HEAD")
    except EngineError:
        # A server may refuse to give a single commit: all of it then, as git's own clone does.
        await _git(
            folder, "fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"
        )
        await _git(folder, "checkout", "--quiet", "--detach", wanted)
    if (folder / ".gitmodules").exists():
        await _git(folder, "submodule", "update", "--quiet", "--init", "--recursive", "--depth=1")
    found = (await _git(folder, "rev-parse", "HEAD")).strip()
    if commit and not found.startswith(commit.removeprefix("sha1:")):
        raise InvalidRequestError(f"{repository.url}: digest mismatch: it is {found}, not {commit}")
    if not keep_git:
        await trio.to_thread.run_sync(lambda: shutil.rmtree(folder / ".git"))
    return await trio.to_thread.run_sync(_inside, repository, folder)


def _inside(repository: Repository, folder: Path) -> Path:
    """The folder that was asked for, which must be in the repository. Raises InvalidRequestError."""
    inside = posixpath.normpath("/" + repository.folder).lstrip("/")
    place = (folder / inside).resolve()
    if not place.is_relative_to(folder.resolve()) or not place.is_dir():
        raise InvalidRequestError(f"{repository.url} has no folder {repository.folder}")
    return place


async def _git(folder: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "http:https:git:ssh",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    with trio.move_on_after(GIT_SECONDS):
        done = await trio.run_process(
            ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments],
            env=environment, capture_stdout=True, capture_stderr=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = said[-1] if said else f"exit code {done.returncode}"
            raise EngineError(f"git {arguments[0]}: {why}")
        return done.stdout.decode("utf-8", "replace")
    raise EngineError(f"git {arguments[0]} took longer than {GIT_SECONDS} seconds")


async def fetch_context(url: str, folder: Path) -> tuple[Path, str]:
    """A build's context from elsewhere: its folder, and the name of a lone Dockerfile in it ("" for none).

    A URL that leads to a plain text is that Dockerfile; an archive is unpacked. Raises EngineError.
    """
    from engine.build.archives import is_tar
    from engine.images.compression import open_tar
    from engine.images.unpack import unpack_layer

    if url.startswith("github.com/"):
        url = f"https://{url}"
        if not url.partition("#")[0].endswith(".git"):
            head, sharp, tail = url.partition("#")
            url = f"{head}.git{sharp}{tail}"
    repository = parse_repository(url)
    if repository is not None:
        return await clone(repository, folder, keep_git=False), ""
    if not url.startswith(("http://", "https://")):
        raise NotSupportedError(f"cannot build from {url}: give a folder, a git or an http(s) URL")
    loose = folder.with_name(f"{folder.name}-download")
    await trio.to_thread.run_sync(loose.mkdir)
    await trio.to_thread.run_sync(folder.mkdir)
    name = await download(url, loose)

    def take() -> str:
        with (loose / name).open("rb") as stream:
            if is_tar(stream):
                stream.seek(0)
                unpack_layer(open_tar(stream), folder)
                return ""
        (loose / name).rename(folder / "Dockerfile")
        return "Dockerfile"

    return folder, await trio.to_thread.run_sync(take)
