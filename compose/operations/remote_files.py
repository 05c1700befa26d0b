"""Compose files that lie elsewhere: `-f oci://registry/name:tag`, `include: [https://host/x.git#ref:folder]`.

What is fetched is kept below `~/.cache/pycompose/remote`, by its digest or commit, and never changes
there; a name is asked for again each time, for it may mean something else now. Source: docker compose's
remote resources; the layers of its artifacts are named by the annotations com.docker.compose.*.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from compose.errors import ComposeError
from compose.loader.settings import NAMES
from compose.operations.publishing import ENV_FILE, FILE
from compose.operations.registry_push import MANIFEST, digest_of, door_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: Bytes of one file; the loader takes no more either.
LARGEST = 16 << 20
#: Seconds that a repository may take.
PATIENCE = 300


def fetch(name: str, environment: Mapping[str, str]) -> str:
    """The local path of the Compose file that `name` names. Raises ComposeError."""
    home = environment.get("HOME", "")
    base = environment.get("XDG_CACHE_HOME") or (home and f"{home}/.cache")
    if not base.startswith("/"):
        raise ComposeError(f"{name}: nowhere to keep what is fetched: set HOME or XDG_CACHE_HOME")
    kept = Path(base) / "pycompose" / "remote"
    if name.startswith("oci://"):
        return fetch_artifact(name.removeprefix("oci://"), kept, environment)
    return fetch_repository(name, kept, environment)


def kept_in(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, filled if it is not there yet: it appears as a whole or not at all."""
    if folder.is_dir():
        return folder
    begun = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        begun.mkdir(parents=True)
        fill(begun)
        begun.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # another one was as fast
            raise ComposeError(f"cannot keep {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return folder


def fetch_artifact(reference: str, kept: Path, environment: Mapping[str, str]) -> str:
    """The Compose file of an OCI artifact. Raises ComposeError."""
    if not reference.strip("/"):
        raise ComposeError("oci://: name an artifact, as in oci://registry/name:tag")
    with door_to(reference, environment, "pull") as door:
        raw = door.get(f"manifests/{door.tag}", LARGEST, accept=MANIFEST)
        files = contents_of(reference, raw)

        def fill(folder: Path) -> None:
            for name, digests in files.items():
                pieces = [door.get(f"blobs/{digest}", LARGEST) for digest in digests]
                for digest, piece in zip(digests, pieces, strict=True):
                    if digest_of(piece) != digest:
                        raise ComposeError(f"{reference}: {digest} arrived with another digest")
                (folder / name).write_bytes(b"\n---\n".join(pieces))

        return str(kept_in(kept / digest_of(raw).partition(":")[2], fill) / NAMES[0])


def contents_of(reference: str, raw: bytes) -> dict[str, list[str]]:
    """file -> the digests of its parts, of an artifact's manifest. Pure. Raises ComposeError."""
    files: dict[str, list[str]] = {}
    try:
        for layer in json.loads(raw)["layers"]:
            notes: dict[str, Any] = layer.get("annotations") or {}
            if layer["mediaType"] == ENV_FILE:
                name = str(notes["com.docker.compose.envfile"])
            elif layer["mediaType"] != FILE:
                continue
            elif "com.docker.compose.extends" in notes:
                name = str(notes["com.docker.compose.file"])
            else:
                name = NAMES[0]
            if not name or "/" in name or name in {".", ".."} or "\0" in name:
                raise ComposeError(f"{reference}: a file that would leave its folder: {name!r}")
            files.setdefault(name, []).append(str(layer["digest"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        files = {}
    if NAMES[0] not in files:
        raise ComposeError(f"{reference} is no Compose project: `publish` makes one")
    return files


def fetch_repository(name: str, kept: Path, environment: Mapping[str, str]) -> str:
    """The Compose file of a Git repository, `URL[#ref[:path]]`. Raises ComposeError."""
    address, _, rest = name.partition("#")
    ref, _, inside = rest.partition(":")
    if address.startswith("github.com/"):
        address = f"https://{address}"
    if ref.startswith("-"):
        raise ComposeError(f"{name}: {ref!r} is no branch, tag or commit")
    commit = ref if is_commit(ref) else commit_of(address, ref or "HEAD", environment)

    def fill(folder: Path) -> None:
        run_git(["init", "--quiet", str(folder)], environment)
        within = ["-C", str(folder)]
        run_git([*within, "fetch", "--quiet", "--depth=1", "--", address, commit], environment)
        run_git([*within, "checkout", "--quiet", commit], environment)

    top = kept_in(kept / commit, fill).resolve()
    place = (top / inside).resolve()
    if not place.is_relative_to(top):
        raise ComposeError(f"{name}: {inside} leads out of the repository")
    if place.is_file():
        return str(place)
    found = next((place / one for one in NAMES if (place / one).is_file()), None)
    if found is None:
        raise ComposeError(f"{name}: no Compose file there: name one, as in {address}#{ref}:path")
    return str(found)


def is_commit(ref: str) -> bool:
    """Whether it is a commit's whole name."""
    return len(ref) == 40 and not ref.strip("0123456789abcdef")


def commit_of(address: str, ref: str, environment: Mapping[str, str]) -> str:
    """What a branch or tag is now. Raises ComposeError."""
    said = run_git(["ls-remote", "--", address, ref, f"{ref}^{{}}"], environment)
    commits = [line.partition("\t")[0] for line in said.splitlines()]
    if not commits or not is_commit(commits[-1]):
        raise ComposeError(f"{address} has no {ref}: check the name behind the #")
    return commits[-1]


def run_git(arguments: list[str], environment: Mapping[str, str]) -> str:
    """git's output; it asks nobody for a password. Raises ComposeError with its last words."""
    variables = {**environment, "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], env=variables, capture_output=True, text=True, check=False,
            timeout=PATIENCE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise ComposeError("a Git repository is named, and git is not installed") from None
    except subprocess.TimeoutExpired:
        raise ComposeError(f"git {arguments[0]} took more than {PATIENCE} s") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no reason was given"]
        raise ComposeError(f"git: {words[-1]}")
    return done.stdout
