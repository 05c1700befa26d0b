"""What a build is given beside its context: secrets, ssh agents, named contexts, an inline Dockerfile.

Rules: our own engine takes it as JSON in front of the context's tar; no other engine takes it through
POST /build, which is then said. Secrets are read here and written nowhere.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from compose.engine_client.payloads.container import image_of
from compose.engine_client.payloads.references import REMOTE
from compose.errors import ProjectError
from compose.model.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compose.model.project import Project
    from compose.model.service import Service

#: The folder of the context's tar that holds the folders of named contexts.
CONTEXTS_FOLDER = ".pycompose-contexts"


class BuildInputs(Record):
    """`document` is the JSON; `folders` are named contexts' folders: (path in the tar, folder)."""

    document: Mapping[str, Any]
    folders: tuple[tuple[str, Path], ...] = ()

    def encoded(self) -> bytes:
        """The JSON's bytes; b"" for nothing to give."""
        return json.dumps(self.document).encode() if self.document else b""


def needed_inputs(service: Service) -> list[str]:
    """The attributes of build that only our own engine can honour."""
    build = service.build
    assert build is not None
    names = ("secrets", "ssh", "additional_contexts")
    return [name for name in names if getattr(build, name)]


def gather_inputs(
    project: Project,
    service: Service,
    agents: Mapping[str, str],
    dockerfile: str | None,
    **flags: Any,
) -> BuildInputs:
    """Secrets, agents (name -> socket), contexts, the Dockerfile's text where it is in no file of the
    context, and `flags` as they are. Raises ProjectError.
    """
    contexts, folders = _contexts(project, service)
    document = {
        "secrets": _secrets(project, service), "ssh": dict(agents), "contexts": contexts,
        **{key: value for key, value in flags.items() if value},
    }  # fmt: skip
    given: dict[str, Any] = {key: value for key, value in document.items() if value}
    if dockerfile is not None:
        given["dockerfile"] = dockerfile
    return BuildInputs(given, folders)


def _secrets(project: Project, service: Service) -> dict[str, str]:
    """Content by id, in base64."""
    assert service.build is not None
    found: dict[str, str] = {}
    for grant in service.build.secrets:
        source = project.secrets[grant.source]
        where = f"services.{service.name}.build.secrets: {grant.source}"
        if source.file:
            try:
                content = Path(source.file).read_bytes()
            except OSError as error:
                raise ProjectError(f"{where}: {source.file}: {error.strerror}") from error
        elif source.environment:
            if source.environment not in project.environment:
                raise ProjectError(
                    f'{where}: environment variable "{source.environment}" is not set'
                )
            content = project.environment[source.environment].encode()
        elif source.content is not None:
            content = source.content.encode()
        else:
            raise ProjectError(
                f"{where}: an external secret cannot be given to a build: use a file"
            )
        found[grant.target or grant.source] = base64.b64encode(content).decode()
    return found


def _contexts(
    project: Project, service: Service
) -> tuple[dict[str, str], tuple[tuple[str, Path], ...]]:
    assert service.build is not None
    found: dict[str, str] = {}
    folders: list[tuple[str, Path]] = []
    for name, value in service.build.additional_contexts.items():
        where = f"services.{service.name}.build.additional_contexts.{name}"
        scheme, colon, rest = value.partition(":")
        if scheme == "service" and colon:
            if rest not in project.services:
                raise ProjectError(f"{where}: service {rest} is not selected: name it too")
            found[name] = f"docker-image://{image_of(project, project.services[rest])}"
        else:
            found[name] = context_of(value, where, folders)
    return found, tuple(folders)


def context_of(value: str, where: str, folders: list[tuple[str, Path]]) -> str:
    """A named context as the engine takes it; a folder is added to `folders`. Raises ProjectError."""
    scheme, colon, _ = value.partition(":")
    if value.startswith(("docker-image://", *REMOTE)):
        return value
    if colon and scheme in ("oci-layout", "target"):
        raise ProjectError(f"{where}: {scheme} is not supported: give a folder or an image")
    if not Path(value).is_dir():
        raise ProjectError(f"{where}: {value}: no such folder")
    place = f"{CONTEXTS_FOLDER}/{len(folders)}"
    folders.append((place, Path(value)))
    return f"folder:{place}"


@contextmanager
def agents_of(
    entries: Sequence[str], environment: Mapping[str, str], where: str
) -> Iterator[dict[str, str]]:
    """The sockets of the agents a build may use, by name; started for keys that are files.

    `entries` are "name[=socket or key file]", the last of a name counts. Raises ProjectError.
    """
    wanted: dict[str, str] = {}
    for entry in entries:
        name, _, path = entry.partition("=")
        wanted[name or "default"] = path
    with _Agents() as agents:
        found = {}
        for name, path in wanted.items():
            path = path or environment.get("SSH_AUTH_SOCK", "")  # noqa: PLW2901 -- the usual one
            if not path:
                raise ProjectError(
                    f"{where}: {name}: no ssh agent: start one (SSH_AUTH_SOCK), or give {name}=FILE"
                )
            found[name] = agents.socket(path, f"{where}: {name}")
        yield found


class _Agents:
    """Agents of our own, for keys in files; they end with the build."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._folder = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()
            assert process.stdout
            process.stdout.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def socket(self, paths: str, where: str) -> str:
        """The socket at a path, or of an agent that holds the keys in these files."""
        first = Path(paths.partition(",")[0])
        try:
            if stat.S_ISSOCK(first.stat().st_mode):
                return str(first.absolute())
        except OSError as error:
            raise ProjectError(f"{where}: {first}: {error.strerror}") from error
        try:
            return self._start(paths.split(","), where)
        except FileNotFoundError as error:
            raise ProjectError(
                f"{where}: keys in files need ssh-agent: install openssh-client"
            ) from error

    def _start(self, keys: list[str], where: str) -> str:
        self._folder = self._folder or tempfile.mkdtemp(prefix="pycompose-ssh-")
        path = f"{self._folder}/{len(self._processes)}"
        process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._processes.append(process)
        assert process.stdout
        process.stdout.readline()  # written when it listens
        environment = {**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS_REQUIRE": "never"}
        for key in keys:
            done = subprocess.run(
                ["ssh-add", "-q", key], env=environment, capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["it is no private key"])[0]
                raise ProjectError(f"{where}: {key}: {said}")
        return path
