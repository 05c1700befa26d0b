"""Devices by request: a Compose file and docker's flags get the nodes, libraries and variables of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.bench.sides import import_image
from tests.e2e.conftest import Person
from tests.e2e.projects import sleeping, write
from tests.own_engine import running_engine
from tests.unit.engine.containers.nvidia_host import FOLDER, make_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.root
POOL = "10.103.0.0/16"
IMAGE = "busybox:bench"


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A person whose machine has two cards, and a maker's things in a CDI file."""
    folder = tmp_path_factory.mktemp("devices")
    make_host(folder / "host", nodes=True)
    (folder / "cdi").mkdir()
    (folder / "shared").mkdir()
    (folder / "shared/note").write_text("of the maker\n")
    edits = {
        "env": ["THING=one"],
        "deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/zero"}],
        "mounts": [{"hostPath": str(folder / "shared"), "containerPath": "/opt/maker", "options": ["ro", "rbind"]}],
        "additionalGids": [4242],
    }  # fmt: skip
    document = {"cdiVersion": "0.7.0", "kind": "maker.com/thing", "devices": [{"name": "one", "containerEdits": edits}]}  # fmt: skip
    (folder / "cdi/maker.json").write_text(json.dumps(document))
    settings = {"PYCOMPOSE_CDI_DIRS": f"{folder}/cdi", "PYCOMPOSE_NVIDIA_ROOT": f"{folder}/host"}
    with running_engine(folder, POOL, **settings) as engine:
        import_image(engine.host)
        yield Person(engine)


def test_a_device_by_its_cdi_name(owner: Person) -> None:
    looks = "head -c 2 /dev/thing | od -An -tx1; echo $THING; cat /opt/maker/note; id -G; touch /opt/maker/x"
    asked = (
        "container",
        "run",
        "--rm",
        "--device",
        "maker.com/thing=one",
        IMAGE,
        "sh",
        "-c",
        looks,
    )
    done = owner.pycompose(*asked)
    assert done.stdout.split()[:6] == ["00", "00", "one", "of", "the", "maker"]
    assert "4242" in done.stdout.split()
    assert "Read-only file system" in done.stderr
    found = json.loads(owner.does("system", "info", "--format", "json"))
    assert found["DiscoveredDevices"] == [{"Source": "cdi", "ID": "maker.com/thing=one"}]


def test_a_device_that_is_not_there_leaves_nothing(owner: Person) -> None:
    done = owner.pycompose("container", "run", "--device", "maker.com/thing=two", IMAGE, "true")
    assert done.returncode == 125
    assert "unresolvable CDI devices maker.com/thing=two" in done.stderr
    assert owner.does("container", "ls", "-aq") == ""


def test_gpus_of_a_project(owner: Person, tmp_path: Path) -> None:
    reserved = {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "device_ids": ["1"]}]}}}  # fmt: skip
    services = {
        "all": sleeping(gpus="all"),
        "second": sleeping(deploy=reserved),
        "thing": sleeping(devices=["maker.com/thing=one"]),
    }
    write(tmp_path, services)
    try:
        owner.does("up", "-d", cwd=tmp_path)
        shown = owner.does(
            "exec", "-T", "all", "sh", "-c", "ls /dev/nvidia*; nvidia-smi", cwd=tmp_path
        )
        assert shown.split() == ["/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl", "two", "cards"]  # fmt: skip
        library = f"{FOLDER}/libcuda.so.1"
        found = owner.does("exec", "-T", "all", "head", "-c", "4", library, cwd=tmp_path)
        assert found == "\x7fELF"
        shown = owner.does("exec", "-T", "second", "sh", "-c", "ls /dev/nvidia[0-9]", cwd=tmp_path)
        assert shown.split() == ["/dev/nvidia1"]
        write_ok = "echo x > /dev/nvidia1 && echo yes"
        assert owner.does("exec", "-T", "second", "sh", "-c", write_ok, cwd=tmp_path) == "yes\n"
        assert owner.does("exec", "-T", "thing", "sh", "-c", "echo $THING", cwd=tmp_path) == "one\n"
        assert owner.does("exec", "-T", "thing", "test", "-c", "/dev/thing", cwd=tmp_path) == ""
        assert owner.pycompose("plan", cwd=tmp_path).stdout == "nothing to do\n"
    finally:
        owner.does("down", "-t", "0", cwd=tmp_path)


def test_more_cards_than_there_are(owner: Person) -> None:
    done = owner.pycompose("container", "run", "--gpus", "3", IMAGE, "true")
    assert done.returncode == 125
    assert "3 GPUs are asked for, but there are only 2" in done.stderr
