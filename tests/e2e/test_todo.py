"""samples/todo: a database with a secret, a migration that runs once, two replicas on a port range."""

from __future__ import annotations

import re
import shutil
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import HOUSE, Person

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

PORTS = (15081, 15082)


def page(port: int, **form: str) -> str:
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", data, timeout=20) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def site(person: Person, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """The sample in a copy of its folder, up and healthy."""
    folder = tmp_path_factory.mktemp("site") / "todo"
    shutil.copytree(HOUSE / "samples/todo", folder)
    person.environment["TODO_PORTS"] = f"{PORTS[0]}-{PORTS[1]}"
    person.environment["COMPOSE_FILE"] = str(folder / "compose.yaml")
    person.does("image", "bootstrap", "debian:bookworm-slim")
    person.does("up", "--detach", "--wait")
    yield person
    person.does("--profile", "tools", "down", "--volumes")


def test_both_replicas_serve_one_list(site: Person) -> None:
    page(PORTS[0], text="buy milk")
    pages = [page(port) for port in PORTS]
    assert all("buy milk" in text for text in pages)
    assert len({re.search(r"served by (\w+)", text)[1] for text in pages}) == 2


def test_the_migration_ran_before_the_service_and_once(site: Person) -> None:
    assert "2 of 2 steps were due" in site.does("logs", "--no-color", "migrate")
    assert "Exited (0)" in site.does("ps", "--all", "migrate")


def test_the_secret_is_a_file_and_nowhere_else(site: Person) -> None:
    assert "demonstration" in site.does("exec", "-T", "web", "cat", "/run/secrets/db_password")
    assert "demonstration" not in site.does("exec", "-T", "web", "env")


def test_the_config_is_in_effect(site: Person) -> None:
    shown = site.does(
        "exec", "-T", "db", "with-password", "psql", "--host=127.0.0.1", "--username=todo",
        "--tuples-only", "--command=SHOW max_connections", "todo",
    )  # fmt: skip
    assert shown.strip() == "40"


def test_the_database_has_no_way_out_and_no_way_in(site: Person) -> None:
    routes = site.does("exec", "-T", "db", "cat", "/proc/net/route").splitlines()[1:]
    assert routes
    assert not [line for line in routes if line.split()[1] == "00000000"]


def test_a_tool_of_a_profile_runs_on_demand(site: Person) -> None:
    page(PORTS[0], text="walk the dog")
    said = site.does("run", "--rm", "-T", "psql", "-t", stdin="SELECT count(*) FROM item;")
    assert int(said.strip()) >= 1
