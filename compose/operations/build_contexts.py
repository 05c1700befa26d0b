"""The services whose images builds take as contexts (additional_contexts: service:x): they are built too. Pure."""

from __future__ import annotations

from compose.errors import ProjectError
from compose.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from compose.model.project import Project


def contexts_of(project: Project) -> set[str]:
    """Their names."""
    builds = [service.build for service in project.services.values() if service.build]
    values = [value for build in builds for value in build.additional_contexts.values()]
    return {value.removeprefix("service:") for value in values if value.startswith("service:")}


def with_contexts(project: Project, whole: Project | None = None) -> Project:
    """The project with those of them that were not selected, from `whole` or what is disabled.

    Raises ProjectError for one that is neither.
    """
    others = whole.services if whole else project.disabled
    while missing := contexts_of(project) - project.services.keys():
        found = {name: others[name] for name in missing if name in others}
        if not found:
            raise ProjectError(
                f"service {min(missing)!r} is a build's context and not enabled: enable its profile"
            )
        project = changed(project, services={**project.services, **found})
    return project
