"""Generated project files: docker compose and we accept and refuse the same, and print the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.contract import layers, mutations, reference, strategies

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.peer

Project = tuple[dict[str, str], str]
#: More of them, for an hour's search: PYCOMPOSE_EXAMPLES=2000.
EXAMPLES = int(os.environ.get("PYCOMPOSE_EXAMPLES", "12"))
bounded = settings(
    max_examples=EXAMPLES,
    database=None,
    derandomize=EXAMPLES <= 12,
    suppress_health_check=list(HealthCheck),
)


def several(projects: st.SearchStrategy[Project]) -> st.SearchStrategy[list[Project]]:
    """A few at a time: the reference's processes run beside each other."""
    return st.lists(projects, min_size=6, max_size=6)


def compare(projects: list[Project]) -> None:
    """Each project's files in a folder of its own, both sides' answers beside each other."""
    if reference.program() is None:
        pytest.skip("the reference is not installed: sh .ci/reference")
    top = Path(tempfile.mkdtemp(prefix="pycompose-property-"))
    try:
        places = []
        for number, (files, _line) in enumerate(projects):
            place = top / str(number) / "proj"
            for name, text in {**strategies.BESIDE, **files}.items():
                file = place / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            places.append(place)
        lines = [line for _, line in projects]
        with ThreadPoolExecutor(4) as pool:
            rights = list(pool.map(reference.theirs, places, lines))
        for (files, line), place, right in zip(projects, places, rights, strict=True):
            if right.crashed:
                continue
            note("\n".join([line, *(f"--- {name}\n{text}" for name, text in files.items())]))
            mine = reference.ours(place, line)
            if not is_known(mine, right):
                reference.assert_equal(line, mine, right)
    finally:
        shutil.rmtree(top)


#: Differences that docs/differences.md explains: what the reference says, and what we do.
KNOWN = (
    ("types.SSHKey: invalid character", ""),
    ("additional properties", "layout of version 1"),
    ("", "dependency cycle detected"),
)


def is_known(mine: reference.Answer, right: reference.Answer) -> bool:
    """Whether the difference is a documented one."""
    return any(theirs in right.err and ours in mine.err for theirs, ours in KNOWN)


def seeded(make: Callable[[Random], Project]) -> st.SearchStrategy[Project]:
    """Projects of a maker that goes by a seed."""
    return st.integers(0, 1 << 32).map(lambda seed: make(Random(seed)))


@bounded
@given(several(seeded(layers.project)))
def test_layers(projects: list[Project]) -> None:
    compare(projects)


@bounded
@given(several(seeded(mutations.project)))
def test_slips_of_the_hand(projects: list[Project]) -> None:
    compare(projects)


@bounded
@given(several(strategies.project()))
def test_projects(projects: list[Project]) -> None:
    compare(projects)


@bounded
@given(several(strategies.value()))
def test_one_odd_value(projects: list[Project]) -> None:
    compare(projects)


@bounded
@given(several(strategies.scalars()))
def test_scalars_and_texts(projects: list[Project]) -> None:
    compare(projects)


@bounded
@given(several(strategies.dotenv()))
def test_env_files(projects: list[Project]) -> None:
    compare(projects)


@bounded
@given(several(strategies.tree()))
def test_files_in_folders(projects: list[Project]) -> None:
    compare(projects)
