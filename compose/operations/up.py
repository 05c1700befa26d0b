"""`up`, `create` and `scale`: make the project what its files say, and read along if asked."""

from __future__ import annotations

from compose.errors import ProjectError
from compose.model.record import changed
from compose.operations.converge import converge
from compose.operations.decision import Aim
from compose.planner.images import ImagePolicy
from compose.planner.policy import UpPolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from compose.model.project import Project
    from compose.operations.session import Session
    from compose.operations.up_request import UpRequest


def up(request: UpRequest, session: Session) -> int:
    """Bring the project up; returns the exit code. Raises ComposeError."""
    if session.dry_run:
        request = changed(request, detach=True)
    project = selected(request, session)
    if request.check_trust and (remote := session.remote_file()):
        from compose.operations.trust import check_trust

        check_trust(remote, project, session, request.ask)
    if request.exit_code_from and request.exit_code_from not in project.services:
        raise ProjectError(f"no such service: {request.exit_code_from}")
    if request.locked:
        from compose.operations.locking import enforce

        enforce(project, session)
        request = changed(request, build=False, pull="never")
    aim = aim_of(request, project)
    if request.detach:
        return converge(aim, session)
    from compose.operations.foreground import run_foreground

    return run_foreground(request, aim, session)


def aim_of(request: UpRequest, project: Project) -> Aim:
    """What the flags ask for of a project."""
    return Aim(
        project,
        UpPolicy(
            services=request.services,
            recreate=request.recreate,
            recreate_dependencies=request.recreate_dependencies,
            remove_orphans=request.remove_orphans,
            ignore_orphans=request.ignore_orphans,
            inherit_volumes=not request.renew_volumes,
            timeout=request.timeout,
            start=request.start and request.detach,
            wait=request.wait,
        ),
        ImagePolicy(request.build, request.pull),
        quiet_pull=request.quiet_pull,
        quiet_build=request.quiet_build,
        wait_timeout=request.wait_timeout,
        confirm=request.confirm,
    )


def selected(request: UpRequest, session: Session) -> Project:
    """The project with the services asked for, and as many containers of them as asked for."""
    project = session.project(request.services).project
    if request.no_deps and request.services:
        kept = {
            name: project.services[name] for name in request.services if name in project.services
        }
        others = {name: one for name, one in project.services.items() if name not in kept}
        project = changed(project, services=kept, disabled={**project.disabled, **others})
    if not project.services:
        raise ProjectError("no service selected: the project has none without an active profile")
    return with_scale(project, request.scale)


def with_scale(project: Project, scale: Mapping[str, int]) -> Project:
    """Other numbers of containers. Raises ProjectError for a service that there is not."""
    services = dict(project.services)
    for name, number in scale.items():
        if name not in services:
            raise ProjectError(f"no such service: {name}")
        services[name] = changed(services[name], scale=number)
    return changed(project, services=services)
