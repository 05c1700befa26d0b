"""Two folders with one project name."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose.errors import ProjectError
from compose.model import labels
from compose.model.observed import Observed, ObservedContainer
from compose.model.project import Project
from compose.operations.collision import check_collision
from compose.planner.steps import Plan, StopContainer

STOP = Plan((StopContainer(id="stop", ref="1", name="shop-web-1"),))


def check(
    here: Path, made_in: Path, plan: Plan, *, yes: bool = False, name: str = "shop"
) -> list[str]:
    told: list[str] = []
    own = {labels.WORKING_DIR: str(made_in)}
    observed = Observed((ObservedContainer("1", "shop-web-1", "web", 1, labels=own),))
    check_collision(Project(name, str(here), (), {}), observed, plan, lambda _: yes, told.append)
    return told


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in "ab":
        (tmp_path / name / "shop").mkdir(parents=True)
    return tmp_path / "a" / "shop", tmp_path / "b" / "shop"


def test_the_same_folder_is_no_collision(folders: tuple[Path, Path]) -> None:
    assert check(folders[0], folders[0], STOP) == []


def test_taking_over_needs_a_yes(folders: tuple[Path, Path]) -> None:
    with pytest.raises(ProjectError, match=r"another name with -p") as caught:
        check(*folders, STOP)
    assert str(folders[0]) in str(caught.value)
    assert str(folders[1]) in str(caught.value)
    assert check(*folders, STOP, yes=True) == []


def test_sharing_untouched_containers_is_told(folders: tuple[Path, Path]) -> None:
    (line,) = check(*folders, Plan())
    assert "choose another name with -p" in line


def test_a_moved_folder_and_a_given_name_are_the_same_project(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    assert check(folders[0], tmp_path / "gone" / "shop", STOP) == []
    assert check(*folders, STOP, name="given") == []
