"""The main job: samples/identidock on our own engine, from base image to not a trace left."""

from __future__ import annotations

import os
import re
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import HOUSE, Person
from tests.e2e.traces import Traces

pytestmark = pytest.mark.root

SAMPLE = HOUSE / "samples" / "identidock"
PORT = "15000"
SITE = f"http://127.0.0.1:{PORT}"


def get(path: str) -> tuple[int, dict[str, str], bytes]:
    with urllib.request.urlopen(SITE + path, timeout=20) as answer:
        return answer.status, dict(answer.headers), answer.read()


def counters() -> tuple[int, int]:
    page = get("/")[2].decode()
    found = dict(re.findall(r'<dd id="(hits|misses)">(\d+)</dd>', page))
    return int(found["hits"]), int(found["misses"])


@pytest.fixture(scope="module")
def site(person: Person, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """identidock, built and healthy, in a copy of the sample's folder."""
    folder = tmp_path_factory.mktemp("site") / "identidock"
    shutil.copytree(SAMPLE, folder)
    person.environment["IDENTIDOCK_PORT"] = PORT
    person.environment["COMPOSE_FILE"] = str(folder / "compose.yaml")
    person.does("image", "bootstrap", "debian:bookworm-slim")
    person.does("up", "--detach", "--build", "--wait")
    return person


def test_the_page_the_picture_and_the_cache(site: Person) -> None:
    status, _, page = get("/?name=Ada")
    assert status == 200
    assert b"Ada" in page
    address = re.search(rb'src="(/monster/[0-9a-f]+)"', page)
    assert address
    first = get(address[1].decode())
    assert first[1]["X-Cache"] == "miss"
    assert first[2].startswith(b"\x89PNG\r\n\x1a\n")
    second = get(address[1].decode())
    assert second[1]["X-Cache"] == "hit"
    assert second[2] == first[2]
    hits, misses = counters()
    assert (hits, misses) >= (1, 1)
    assert site.does("exec", "-T", "redis", "redis-cli", "get", "hits").strip() == str(hits)


def test_ps_says_healthy_and_where(site: Person) -> None:
    table = site.does("ps")
    assert table.count("(healthy)") == 3
    assert f"0.0.0.0:{PORT}->5000/tcp" in table
    assert site.does("port", "identidock", "5000").strip() == f"0.0.0.0:{PORT}"


def test_logs_have_a_colour_for_each_service(site: Person) -> None:
    text = site.does("--ansi", "always", "logs")
    prefixes = re.findall(r"(\x1b\[[0-9;]+m)(identidock|dnmonster|redis)-1", text)
    assert {service for _, service in prefixes} == {"identidock", "dnmonster", "redis"}
    assert len({colour for colour, _ in prefixes}) == 3
    assert "\x1b" not in site.does("logs", "--no-color")


def test_the_production_mode_is_not_root(site: Person) -> None:
    assert site.does("exec", "-T", "identidock", "id", "-un").strip() == "uwsgi"


def test_a_killed_engine_leaves_the_site_answering(site: Person) -> None:
    engine = int((site.run_dir / "engine.lock").read_text().split()[0])
    os.kill(engine, signal.SIGKILL)
    assert get("/")[0] == 200
    assert site.does("ps").count("Up ") == 3
    assert int((site.run_dir / "engine.lock").read_text().split()[0]) != engine
    assert site.does(
        "exec",
        "-T",
        "identidock",
        "python3",
        "-c",
        "import socket; print(socket.gethostbyname('redis'))",
    )
    assert get("/")[0] == 200


def test_down_and_up_keep_the_counter(site: Person) -> None:
    before = counters()
    site.does("down")
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        get("/")
    site.does("up", "--detach", "--wait")
    assert counters() == before


def test_development_mode_serves_the_source_of_the_folder(site: Person) -> None:
    folder = Path(site.environment["COMPOSE_FILE"]).parent
    both = f"{folder / 'compose.yaml'}:{folder / 'compose.dev.yaml'}"
    site.environment["COMPOSE_FILE"] = both
    try:
        site.does("up", "--detach", "--wait")
        source = folder / "identidock/app/templates/page.html"
        source.write_text(source.read_text().replace("Meet your monster", "Edited while it runs"))
        assert b"Edited while it runs" in get("/")[2]
    finally:
        site.environment["COMPOSE_FILE"] = str(folder / "compose.yaml")


def test_down_with_volumes_leaves_nothing(site: Person) -> None:
    site.does("down", "--volumes")
    left = Traces.of(site.run_dir.parent)
    assert not [link for link in left.links if link.startswith("ve")]
    assert not left.mounts
    assert site.does("ls", "--all", "--quiet").strip() == ""
    assert site.does("ps", "--all", "--quiet").strip() == ""
