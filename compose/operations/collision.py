"""Two folders, one project name: said before one takes over the other's containers."""

from __future__ import annotations

import os

from compose.errors import ProjectError
from compose.model import labels
from compose.planner.decide import is_collision

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.model.observed import Observed
    from compose.model.project import Project
    from compose.planner.steps import Plan


def check_collision(
    project: Project,
    observed: Observed,
    plan: Plan,
    confirm: Callable[[str], bool],
    warn: Callable[[str], None],
) -> None:
    """Notice containers that were made from another folder's files.

    A name that the person gave means the same project wherever its files are, and one whose other
    folder is gone has moved. But where two checkouts have a name only from their folders, replacing
    the other's containers needs a yes. Raises ProjectError without it.
    """
    others = [one for one in observed.containers if is_collision(project, one) and not one.oneoff]
    folders = {one.labels[labels.WORKING_DIR] for one in others}
    folders = {folder for folder in folders if os.path.isdir(folder)}  # noqa: PTH112
    if not folders or not is_named_by_folder(project):
        return
    text = (
        f'project "{project.name}" exists already: its containers were made in '
        f"{', '.join(sorted(folders))}, and this is {project.working_dir}"
    )
    touched = {
        getattr(step, key, "") for step in plan.steps for key in ("ref", "replaces")
    }  # fmt: skip
    if not any(one.id in touched for one in others):
        warn(f"{text}: choose another name with -p, unless both are to share them")
    elif not confirm(f"{text}. Take them over?"):
        raise ProjectError(
            f"{text}: give one of the two another name with -p (or COMPOSE_PROJECT_NAME), "
            "or take the containers over with --yes"
        )


def is_named_by_folder(project: Project) -> bool:
    """Whether the project's name is what its folder gives, so that nobody need have chosen it."""
    from compose.loader.settings import normal_name

    return project.name == normal_name(os.path.basename(project.working_dir))  # noqa: PTH119
