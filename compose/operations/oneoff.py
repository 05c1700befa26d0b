"""`run`: a container for one command, beside the service's own, with our streams and its exit code.

Rules: what it depends on is started first, as `up` does it; it is created, attached to and waited
for before it is started, so that neither a line nor the exit code can be missed.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal

from compose.engine_client import calls
from compose.engine_client.payloads.container import ContainerSpec, create_request, image_of
from compose.errors import ComposeError, ProjectError, UsageError
from compose.model.files import GRANT_KINDS
from compose.model.mount import Mount
from compose.model.port import Port
from compose.model.record import EMPTY, Record, changed
from compose.operations.contents import with_digests
from compose.operations.converge import converge, provided
from compose.operations.decision import Aim, encode, look
from compose.operations.supported import prepared
from compose.planner.config_hash import service_hash
from compose.planner.images import ImagePolicy
from compose.planner.policy import UpPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from compose.engine_client.blocking import BlockingClient
    from compose.model.observed import Observed
    from compose.model.project import Project
    from compose.model.service import Service
    from compose.operations.session import Session


class RunRequest(Record):
    """The flags of run."""

    service: str
    command: tuple[str, ...] = ()
    build: bool | None = None
    pull: Literal["", "always", "missing", "never", "build"] = ""
    quiet_pull: bool = False
    quiet_build: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    detach: bool = False
    entrypoint: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    labels: Mapping[str, str] = EMPTY
    name: str = ""
    no_deps: bool = False
    publish: tuple[str, ...] = ()
    remove_orphans: bool = False
    ignore_orphans: bool = False
    remove: bool = False
    service_ports: bool = False
    tty: bool = False
    stdin: bool = True
    use_aliases: bool = False
    user: str = ""
    volumes: tuple[str, ...] = ()
    workdir: str = ""
    ask: Callable[[str, bool], bool] | None = None  # of a project from elsewhere; None: trust it


def run(request: RunRequest, session: Session) -> int:
    """Run the command; returns its exit code. Raises ComposeError."""
    project = session.project((request.service,)).project
    if request.service not in project.services:
        raise ProjectError(f"no such service: {request.service}")
    if remote := session.remote_file():
        from compose.operations.trust import check_trust

        check_trust(remote, project, session, request.ask)
    project = with_digests(prepared(project, session.endpoint, session.environment))
    if not session.dry_run:
        quiet = request.quiet_pull
        project = provided(project, session, quiet=quiet, providers=not request.no_deps)
    service = adapted(request, project, project.services[request.service])
    rest = {} if request.no_deps else {
        name: one for name, one in project.services.items() if name != request.service
    }  # fmt: skip
    prepare(request, changed(project, services=rest, disabled={request.service: service, **project.disabled}), service, session)  # fmt: skip
    project = changed(project, services={**project.services, request.service: service})
    session.progress.close()
    if session.dry_run:
        if not request.detach:
            raise ComposeError("interactive run is not supported in dry-run mode")
        return 0
    with session.client() as client:
        observed = look(client, project)
        container_id = create(request, session, client, project, service, observed)
        try:
            return start(request, session, client, container_id)
        except ComposeError:
            if request.remove:
                client.do(calls.remove_container(container_id, volumes=True, force=True))
            raise


def prepare(request: RunRequest, others: Project, service: Service, session: Session) -> None:
    """Images for all, containers for the others; then wait for what the service depends on."""
    images = ImagePolicy(request.build, request.pull)
    conditions = () if request.no_deps else tuple(service.depends_on.items())
    policy = UpPolicy(
        remove_orphans=request.remove_orphans,
        ignore_orphans=(request.ignore_orphans or not others.services)
        and not request.remove_orphans,
        conditions=conditions,
    )
    only = {service.name: changed(service, depends_on={})}
    aim = Aim(
        changed(others, services={**others.services, **only}), policy, images,
        quiet_pull=request.quiet_pull, quiet_build=request.quiet_build, keep=(service.name,),
    )  # fmt: skip
    converge(aim, session)


def adapted(request: RunRequest, project: Project, service: Service) -> Service:
    """The service as the flags change it. Raises ComposeError. Pure but for env files."""
    from compose.operations.exec import resolved

    environment = dict(service.environment)
    environment |= read_env_files(request.env_files)
    for entry in resolved(request.environment, project.environment):
        key, _, value = entry.partition("=")
        environment[key] = value
    ports = service.ports if request.service_ports else published(request.publish)
    command = request.command or service.command
    if request.entrypoint is not None and not request.command:
        command = ()
    return changed(
        service,
        tty=request.tty,
        stdin_open=request.stdin,
        container_name=request.name,
        command=command,
        entrypoint=service.entrypoint if request.entrypoint is None else request.entrypoint,
        environment=environment,
        user=request.user or service.user,
        working_dir=request.workdir or service.working_dir,
        labels={**service.labels, **request.labels},
        ports=ports,
        volumes=service.volumes + mounted(request.volumes, project.document),
        cap_add=tuple(c for c in service.cap_add if c not in request.cap_drop) + request.cap_add,
        cap_drop=tuple(c for c in service.cap_drop if c not in request.cap_add) + request.cap_drop,
        restart="",
        scale=1,
        deploy=changed(service.deploy, restart_policy=None) if service.deploy else None,
    )


def read_env_files(paths: tuple[str, ...]) -> dict[str, str]:
    """The variables of --env-from-file. Raises ProjectError."""
    from pathlib import Path

    from compose.loader import dotenv

    found: dict[str, str] = {}
    for path in paths:
        try:
            text = Path(path).read_text()
        except OSError as error:
            raise ProjectError(f"{path}: {error.strerror}: check --env-from-file") from error
        try:
            found = dotenv.parse(text, lambda _name: None, lambda _text: None, found)
        except dotenv.DotenvError as error:
            raise ProjectError(f"{path}: {error}") from error
    return found


def published(texts: tuple[str, ...]) -> tuple[Port, ...]:
    """--publish, in the short syntax. Raises UsageError."""
    from compose.loader.ports import parse_port

    found: list[Port] = []
    for text in texts:
        try:
            entries = parse_port(text)
        except ValueError as error:
            raise UsageError(f"--publish {text}: {error}") from error
        found += [
            Port(one["target"], one.get("published", ""), one["protocol"], one.get("host_ip", ""))
            for one in entries
        ]
    return tuple(found)


def mounted(texts: tuple[str, ...], document: Mapping[str, Any]) -> tuple[Mount, ...]:
    """--volume, in the short syntax; relative to the current folder. Raises UsageError.

    The option map-owner, and the project's x-map-owner in its document, hold here too.
    """
    from pathlib import Path

    from compose.loader.mounts import maps_owner, parse_mount, says_map_owner

    found: list[Mount] = []
    for text in texts:
        try:
            entry = parse_mount(text)
        except ValueError as error:
            raise UsageError(f"--volume {text}: {error}") from error
        source = entry.get("source", "")
        is_bind = entry["type"] == "bind"
        if is_bind:
            source = str(Path(source).expanduser().absolute())
        bind = entry.get("bind") or {}
        found.append(
            Mount(
                type=entry["type"],
                target=entry["target"],
                source=source,
                read_only=entry.get("read_only", False),
                bind_create_host_path=is_bind,
                bind_selinux=bind.get("selinux", ""),
                bind_propagation=bind.get("propagation", ""),
                bind_map_owner=is_bind
                and (says_map_owner(text) or maps_owner(document, ()) is True),
            )
        )
    return tuple(found)


def create(
    request: RunRequest,
    session: Session,
    client: BlockingClient,
    project: Project,
    service: Service,
    observed: Observed,
) -> str:
    """Create the container with its networks and files; returns its id."""
    assert client.version is not None
    slug = secrets.token_hex(32)
    name = request.name or project.name_of(service.name, "run", slug[:12])
    peers: dict[str, list[tuple[str, str]]] = {}
    for one in sorted(observed.containers, key=lambda one: one.name):
        if not one.oneoff:
            peers.setdefault(one.service, []).append((one.name, one.id))
    shared = {peer: containers[0][1] for peer, containers in peers.items()}
    image = observed.images.get(image_of(project, service))
    spec = ContainerSpec(
        name=name,
        config_hash=service_hash(service, shared, encode),
        image_id=image.id if image else "",
        oneoff=True,
        slug=slug,
        use_aliases=request.use_aliases,
        attach_stdin=request.stdin and not request.detach,
        auto_remove=request.remove,
        image_volumes=image.volumes if image else (),
        peers=peers,
    )
    made = create_request(project, service, spec, client.version)
    if request.tty and not request.detach:
        from compose.operations.terminal import window_size

        made.body["HostConfig"]["ConsoleSize"] = list(window_size())
    answer = client.do(calls.create_container(name, made.body, service.platform)).json()
    for warning in answer.get("Warnings") or []:
        session.progress.warn(warning)
    container_id = str(answer["Id"])
    for network, endpoint in made.connect_after:
        client.do(calls.connect_network(network, container_id, endpoint))
    from compose.operations.uploads import upload

    for kind in GRANT_KINDS:
        files = upload(project, service, kind, container_id)
        if files is not None:
            client.do(files)
    return container_id


def start(request: RunRequest, session: Session, client: BlockingClient, container_id: str) -> int:
    """Attach, start, copy to the end; the exit code. With --detach, the id is all."""
    if request.detach:
        client.do(calls.start_container(container_id))
        session.out.write(container_id + "\n")
        return 0

    from compose.operations.joining import Joined, join_container

    def begin() -> None:
        client.do(calls.start_container(container_id))

    how = Joined(
        tty=request.tty,
        stdin=request.stdin,
        condition="removed" if request.remove else "next-exit",
    )
    return join_container(client, container_id, how, begin) or 0
