"""`container run` and `create`: a container of an image, beside any project."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls, object_calls
from compose.errors import ComposeError, EngineRefusedError, UsageError
from compose.model.record import Record
from compose.operations.session import ExitCodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from compose.engine_client.blocking import BlockingClient
    from compose.operations.session import Session

#: docker's exit codes: the engine could not, the program cannot be run, the program is not there.
NOT_CREATED, NOT_RUNNABLE, NOT_FOUND = 125, 126, 127
MISSING = ("executable file not found", "no such file or directory", "system cannot find the file")
NO_RIGHT = ("permission denied", "is a directory")


class ContainerRequest(Record):
    """What is to be made. `body` is the API's; `pull` always, missing or never."""

    body: Mapping[str, Any]
    name: str = ""
    platform: str = ""
    pull: str = "missing"
    id_file: Path | None = None
    api_socket: bool = False
    detach: bool = False
    detach_keys: str = ""
    pass_signals: bool = True


def create(request: ContainerRequest, session: Session) -> str:
    """Create it; returns its id. Raises ComposeError."""
    with session.client() as client:
        return create_with(client, request, session)


def create_with(client: BlockingClient, request: ContainerRequest, session: Session) -> str:
    """The same over a client that is open. Pulls the image where it must."""
    with id_file(request.id_file) as tell:
        container_id = _create(client, request, session)
        tell(container_id)
    return container_id


@contextmanager
def id_file(path: Path | None) -> Iterator[Callable[[str], object]]:
    """A file for the new container's id, there before the container is; gone where there is none.

    Raises UsageError for one that is there already, or cannot be made.
    """
    if path is None:
        yield lambda _id: None
        return
    try:
        file = path.open("x")
    except FileExistsError:
        raise UsageError(
            f"container ID file found, make sure the other container isn't running or delete {path}"
        ) from None
    except OSError as error:
        words = f"failed to create the container ID file {path}: {error.strerror}: check --cidfile"
        raise UsageError(words) from error
    try:
        with file:
            yield file.write
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _create(client: BlockingClient, request: ContainerRequest, session: Session) -> str:
    body = dict(request.body)
    image = str(body["Image"])
    if request.api_socket:
        body = with_socket(body, session)
    if request.pull == "always":
        pull(session, client, image, request.platform)
    call = calls.create_container(request.name, body, request.platform)
    try:
        answer = client.do(call)
    except EngineRefusedError as error:
        if error.status != 404 or "image" not in str(error).lower() or request.pull != "missing":
            raise
        pull(session, client, image, request.platform)
        answer = client.do(call)
    made = answer.json()
    for warning in made.get("Warnings") or []:
        session.progress.warn(str(warning))
    container_id = str(made["Id"])
    if request.api_socket:
        give_credentials(client, container_id, session)
    return container_id


def pull(session: Session, client: BlockingClient, image: str, platform: str) -> None:
    """Fetch the image. Raises ComposeError."""
    from compose.engine_client.payloads.references import familiar
    from compose.operations.pulling import pull_image

    name = familiar(image)

    async def main(engine: Any) -> int:
        session.progress.report(name, "Pulling")
        await pull_image(engine, name, session.environment, session.progress, platform)
        session.progress.report(name, "Pulled", "done")
        return 0

    session.run_async(client, main)
    session.progress.close()


def with_socket(body: dict[str, Any], session: Session) -> dict[str, Any]:
    """--use-api-socket: the engine's socket, and where our credentials will be. Raises ComposeError."""
    if not session.endpoint.path:
        raise ComposeError("--use-api-socket needs an engine on a unix socket of this host")
    host = dict(body.get("HostConfig") or {})
    host["Binds"] = [*(host.get("Binds") or []), f"{session.endpoint.path}:/var/run/docker.sock"]
    return {
        **body, "HostConfig": host,
        "Env": [*(body.get("Env") or []), "DOCKER_CONFIG=/run/secrets/docker"],
    }  # fmt: skip


def give_credentials(client: BlockingClient, container_id: str, session: Session) -> None:
    """Our registries' credentials as a file of the container's."""
    import io
    import json
    import tarfile

    from compose.operations.credentials import read_config

    known = read_config(session.environment)
    data = json.dumps({key: known[key] for key in ("auths",) if key in known}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("run/secrets/docker/config.json")
        entry.size, entry.mode = len(data), 0o600
        archive.addfile(entry, io.BytesIO(data))
    client.do(calls.write_archive(container_id, "/", buffer.getvalue()))


def run(request: ContainerRequest, session: Session) -> int:
    """Create, start, and stay with it to its end, unless detached; its exit code.

    Raises ExitCodeError with docker's 125, 126 and 127 for what could not be started.
    """
    with session.client() as client:
        try:
            container_id = create_with(client, request, session)
        except ComposeError as error:
            error.exit_code = NOT_CREATED
            raise
        try:
            return start(client, container_id, request, session)
        except EngineRefusedError as error:
            remove_if_unstarted(client, container_id, request)
            raise ExitCodeError(str(error), start_code(str(error))) from error


def start(
    client: BlockingClient, container_id: str, request: ContainerRequest, session: Session
) -> int:
    """Start it, our streams joined to those that are attached."""
    from compose.operations.joining import Joined, join_container

    body = request.body
    stdin, stdout, stderr = (
        bool(body.get(f"Attach{one}")) for one in ("Stdin", "Stdout", "Stderr")
    )

    def begin() -> None:
        client.do(object_calls.start_container(container_id, request.detach_keys))

    if request.detach or not (stdin or stdout or stderr):
        begin()
        session.out.write(container_id + "\n")
        return 0
    removed = bool((body.get("HostConfig") or {}).get("AutoRemove"))
    how = Joined(
        tty=bool(body.get("Tty")),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        condition="removed" if removed else "next-exit",
        pass_signals=request.pass_signals,
        keys=request.detach_keys,
    )
    return join_container(client, container_id, how, begin) or 0


def remove_if_unstarted(
    client: BlockingClient, container_id: str, request: ContainerRequest
) -> None:
    """--rm holds for a container that never ran, too."""
    if (request.body.get("HostConfig") or {}).get("AutoRemove"):
        client.do(calls.remove_container(container_id, volumes=True, force=True))


def start_code(text: str) -> int:
    """docker's exit code for what the engine said of a start."""
    if any(word in text for word in MISSING):
        return NOT_FOUND
    if any(word in text for word in NO_RIGHT):
        return NOT_RUNNABLE
    return NOT_CREATED
