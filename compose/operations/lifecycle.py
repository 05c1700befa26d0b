"""stop, start, restart, kill, pause, unpause and rm: what changes what is there and creates nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.engine_client import calls
from compose.engine_client.payloads.observed import container_from_list
from compose.errors import ComposeError, ProjectError
from compose.model.observed import Observed
from compose.model.record import Record, changed
from compose.operations.realise import realise
from compose.planner.decide import is_orphan
from compose.planner.lifecycle import (
    chosen,
    plan_kill,
    plan_pause,
    plan_remove,
    plan_restart,
    plan_start,
    plan_stop,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compose.engine_client.blocking import BlockingClient
    from compose.model.project import Project
    from compose.operations.session import Session


class LifecycleRequest(Record):
    """The flags of these commands; each reads its own."""

    services: tuple[str, ...] = ()
    timeout: int | None = None
    signal: str = "SIGKILL"
    no_deps: bool = False
    remove_orphans: bool = False
    stop: bool = False
    volumes: bool = False
    force: bool = False
    wait_timeout: int = 0
    wait: bool = False
    confirm: Callable[[str], bool] = lambda _question: False


def look(session: Session) -> tuple[BlockingClient, Project | None, str, Observed]:
    """A client, the project (None with -p alone), its name, and its containers."""
    project, name = session.project_or_name()
    client = session.client()
    items = client.do(calls.list_containers(name)).json() or []
    return client, project, name, Observed(tuple(map(container_from_list, items)))


def check_services(project: Project | None, services: tuple[str, ...]) -> None:
    """ProjectError for a service that the project has not."""
    for service in services:
        if (
            project is not None
            and service not in project.services
            and service not in project.disabled
        ):
            raise ProjectError(f"no such service: {service}")


def stop(request: LifecycleRequest, session: Session) -> int:
    """Stop services, dependents first."""
    client, project, name, observed = look(session)
    check_services(project, request.services)
    plan = plan_stop(project, observed, request.services, request.timeout)
    return realise(plan, session, client, project, name, observed)


def start(request: LifecycleRequest, session: Session) -> int:
    """Start services that have containers, dependencies first."""
    client, project, name, observed = look(session)
    check_services(project, request.services)
    there = chosen(observed, request.services)
    wanted = request.services or tuple(project.services if project is not None else ())
    for service in wanted:
        replicas = (
            project.services[service].replicas if project and service in project.services else 1
        )
        if service not in there and replicas:
            raise ComposeError(f'service "{service}" has no container to start: create it with up')
    if not there and not wanted:
        raise ComposeError(f'no containers for project "{name}": create them with up')
    plan = plan_start(project, observed, request.services)
    return realise(plan, session, client, project, name, observed)


def restart(request: LifecycleRequest, session: Session) -> int:
    """Restart services, and those that asked to be restarted with them."""
    client, project, name, observed = look(session)
    check_services(project, request.services)
    services = request.services
    if project is not None and services and not request.no_deps:
        services = (*services, *sorted(restarted_with(project, services)))
    plan = plan_restart(project, observed, services, request.timeout)
    return realise(plan, session, client, project, name, observed)


def restarted_with(project: Project, services: tuple[str, ...]) -> set[str]:
    """The services that depend on these with `restart: true`, at any distance. Pure."""
    found: set[str] = set()
    waiting = list(services)
    while waiting:
        name = waiting.pop()
        for other, service in project.services.items():
            need = service.depends_on.get(name)
            if need is not None and need.restart and other not in found and other not in services:
                found.add(other)
                waiting.append(other)
    return found


def kill(request: LifecycleRequest, session: Session) -> int:
    """Send a signal to all that run."""
    client, project, name, observed = look(session)
    check_services(project, request.services)
    if project is not None and not request.remove_orphans:
        kept = tuple(one for one in observed.containers if not is_orphan(project, one))
        observed = changed(observed, containers=kept)
    plan = plan_kill(observed, request.services, request.signal)
    if not plan.steps:
        session.err.write("no container to kill\n")
    return realise(plan, session, client, project, name, observed)


def pause(request: LifecycleRequest, session: Session) -> int:
    """Freeze services."""
    client, project, name, observed = look(session)
    check_services(project, request.services)
    plan = plan_pause(observed, request.services, thaw=False)
    return realise(plan, session, client, project, name, observed)


def unpause(request: LifecycleRequest, session: Session) -> int:
    """Thaw services."""
    client, project, name, observed = look(session)
    check_services(project, request.services)
    plan = plan_pause(observed, request.services, thaw=True)
    return realise(plan, session, client, project, name, observed)


def rm(request: LifecycleRequest, session: Session) -> int:
    """Remove stopped containers, after asking."""
    if request.stop:
        stop(request, session)
    client, project, name, observed = look(session)
    check_services(project, request.services)
    stopped = [
        one
        for containers in chosen(observed, request.services).values()
        for one in containers
        if not one.is_running and (project is None or one.service in project.services)
    ]
    if not stopped:
        session.err.write("No stopped containers\n")
        return 0
    message = f"Going to remove {', '.join(one.name for one in stopped)}"
    if request.force:
        session.out.write(message + "\n")
        session.out.flush()
    elif not request.confirm(message):
        return 0
    plan = plan_remove(stopped, volumes=request.volumes)
    return realise(plan, session, client, project, name, observed)


VERBS: Mapping[str, Callable[[LifecycleRequest, Session], int]] = {
    "stop": stop,
    "start": start,
    "restart": restart,
    "kill": kill,
    "pause": pause,
    "unpause": unpause,
    "rm": rm,
}
