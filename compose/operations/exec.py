"""`exec`: a program in a running container, with our streams and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from compose.engine_client import calls
from compose.errors import ComposeError
from compose.model import labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.engine_client.blocking import BlockingClient
    from compose.operations.session import Session


class ExecRequest(NamedTuple):
    """The flags of exec. `environment` holds "K=V", or "K" for our own value of it, or none."""

    service: str
    command: tuple[str, ...]
    detach: bool = False
    environment: tuple[str, ...] = ()
    tty: bool = False
    stdin: bool = True
    user: str = ""
    workdir: str = ""
    number: int = 0
    privileged: bool = False
    detach_keys: str = ""


def execute(request: ExecRequest, session: Session) -> int:
    """Run it in a service's container; returns its exit code. Raises ComposeError."""
    name, variables = session.identity()
    with session.client(read_only=session.dry_run) as client:
        ref = running_container(client, name, request.service, request.number)
        if session.dry_run:
            raise ComposeError("interactive exec is not supported in dry-run mode")
        return execute_in(client, ref, request, variables)


def execute_in(
    client: BlockingClient, ref: str, request: ExecRequest, variables: Mapping[str, str]
) -> int:
    """Run it in that container; `variables` are ours. Returns its exit code. Raises ComposeError."""
    body: dict[str, Any] = {
        "Cmd": list(request.command),
        "Tty": request.tty,
        "User": request.user,
        "WorkingDir": request.workdir,
        "Privileged": request.privileged,
        "Env": [*resolved(request.environment, variables), *unset(request.environment, variables)],
        "AttachStdin": request.stdin and not request.detach,
        "AttachStdout": not request.detach,
        "AttachStderr": not request.detach,
        "Detach": request.detach,
        "DetachKeys": request.detach_keys,
    }
    made = client.do(calls.create_exec(ref, body)).json()["Id"]
    if request.detach:
        client.do(calls.start_exec(made, detach=True, tty=request.tty))
        return 0
    run_joined(client, made, request)
    return int(client.do(calls.inspect_exec(made)).json().get("ExitCode") or 0)


def run_joined(client: BlockingClient, exec_id: str, request: ExecRequest) -> None:
    """Start it with our streams and copy until it ends."""
    from compose.operations.terminal import join, window_size

    height, width = window_size()
    size = (height, width) if height else None

    def resize(height: int, width: int) -> None:
        if height:
            client.do(calls.resize_exec(exec_id, height, width))

    call = calls.start_exec(exec_id, detach=False, tty=request.tty, size=size)
    connection, first, _ = client.hijack(call)
    with connection:
        if request.tty:
            # Engines before 1.42 take no size at the start.
            resize(*window_size())
        join(
            connection, first, tty=request.tty, stdin=request.stdin, on_resize=resize,
            detach_keys=request.detach_keys,
        )  # fmt: skip


def resolved(environment: tuple[str, ...], variables: Any) -> list[str]:
    """ "K=V" as it is; "K" with our value, or left out if we have none."""
    found = []
    for entry in environment:
        name, equals, _ = entry.partition("=")
        if equals:
            found.append(entry)
        elif name in variables:
            found.append(f"{name}={variables[name]}")
    return found


def unset(environment: tuple[str, ...], variables: Any) -> list[str]:
    """The names alone that we have no value for: the engine takes those variables away."""
    return [entry for entry in environment if "=" not in entry and entry not in variables]


def running_container(client: BlockingClient, project: str, service: str, index: int = 0) -> str:
    """The id of a service's running container: of that number, else the first. Raises ComposeError."""
    more = [f"{labels.SERVICE}={service}"]
    if index:
        more.append(f"{labels.NUMBER}={index}")
    items = client.do(calls.list_containers(project, everything=False, more=more)).json() or []
    if not items:
        number = f" container #{index}" if index else ""
        raise ComposeError(f'service "{service}" is not running{number}')
    return str(min(items, key=_order)["Id"])


def _order(item: dict[str, Any]) -> tuple[bool, int]:
    own = item.get("Labels") or {}
    number = own.get(labels.NUMBER, "")
    return own.get(labels.ONEOFF) == "True", int(number) if number.isdigit() else 0
