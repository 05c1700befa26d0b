"""CDI files: what is read, what hides what, and what is told of a file that is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.containers.cdi import Edits, parse_document, parse_edits, read_catalogue
from engine.errors import InvalidRequestError
from engine.runtime.spec import DeviceNode, DeviceRule, Mount

if TYPE_CHECKING:
    from pathlib import Path


def document(name: str = "one", kind: str = "maker.com/thing", **edits: Any) -> dict[str, Any]:
    devices = [{"name": name, "containerEdits": edits or {"env": ["A=1"]}}]
    return {"cdiVersion": "0.6.0", "kind": kind, "devices": devices}


def test_a_device_brings_its_own_edits_and_the_files_once(tmp_path: Path) -> None:
    text = """
cdiVersion: 0.5.0
kind: maker.com/thing
containerEdits: {env: [ALL=yes]}
devices:
- name: one
  containerEdits:
    deviceNodes: [{path: /dev/inside, hostPath: /dev/null, permissions: rw}]
    additionalGids: [44]
- name: "2"
  containerEdits:
    mounts: [{hostPath: /etc/hosts, containerPath: /there, options: [ro, nosuid, bind]}]
"""
    (tmp_path / "thing.yaml").write_text(text)
    found = read_catalogue([str(tmp_path)])
    assert not found.faults
    edits = found.edits(["maker.com/thing=one", "maker.com/thing=2", "maker.com/thing=one"])
    assert edits == Edits(
        env=("ALL=yes",),
        nodes=(DeviceNode("/dev/inside", "c", 1, 3, 0o666),),
        rules=(DeviceRule(True, "c", 1, 3, "rw"),),
        mounts=(Mount("bind", "/there", "/etc/hosts", ("bind", "rprivate", "ro", "nosuid")),),
        groups=("44",),
    )


def test_the_later_folder_wins_and_two_of_one_folder_hide_each_other(tmp_path: Path) -> None:
    for folder, file, name, value in (
        ("etc", "a.json", "one", "E=etc"), ("run", "a.json", "one", "E=run"),
        ("etc", "b.json", "two", "T=1"), ("etc", "c.json", "two", "T=2"),
    ):  # fmt: skip
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / file).write_text(json.dumps(document(name, env=[value])))
    found = read_catalogue([str(tmp_path / "etc"), str(tmp_path / "run"), str(tmp_path / "absent")])
    assert found.edits(["maker.com/thing=one"]).env == ("E=run",)
    with pytest.raises(InvalidRequestError, match=r"unresolvable CDI devices maker.com/thing=two .*two files"):  # fmt: skip
        found.edits(["maker.com/thing=two"])


def test_a_broken_file_concerns_only_who_looks_for_more(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "endless.json").write_text("[" * 100_000)
    (tmp_path / "good.json").write_text(json.dumps(document()))
    found = read_catalogue([str(tmp_path)])
    assert found.edits(["maker.com/thing=one"]).env == ("A=1",)
    with pytest.raises(InvalidRequestError, match=r"devices maker.com/thing=no .*broken\.yaml"):
        found.edits(["maker.com/thing=no"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([], "no cdiVersion"),
        ({**document(), "cdiVersion": "9.0.0"}, "unknown cdiVersion 9.0.0"),
        (document(kind="thing"), "no vendor/class"),
        ({**document(), "devices": []}, "no devices"),
        (document(name="-"), "missing, invalid"),
        (document(env=["A"]), "invalid containerEdits"),
        (document(deviceNodes=[{"hostPath": "/dev/null"}]), "invalid containerEdits"),
        (document(deviceNodes=[{"path": "dev/null"}]), "no absolute path"),
        (document(deviceNodes=[{"path": "/dev/x", "permissions": "y"}]), "permissions 'y'"),
        (document(mounts=[{"hostPath": "/", "containerPath": "/x", "type": "nfs"}]), "'nfs'"),
        (document(hooks=["x"]), "invalid containerEdits"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_a_line(wrong: Any, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words) as caught:
        parse_document(wrong, "/etc/cdi/x.json")
    assert str(caught.value).startswith("/etc/cdi/x.json: ")


def test_a_device_that_is_not_on_the_host_is_named() -> None:
    with pytest.raises(InvalidRequestError, match=r"device node /dev/absent: No such file"):
        parse_edits({"deviceNodes": [{"path": "/dev/absent"}]}, "x")
    with pytest.raises(InvalidRequestError, match=r"device node /etc/hosts: not a device"):
        parse_edits({"deviceNodes": [{"path": "/dev/x", "hostPath": "/etc/hosts"}]}, "x")


def test_hooks_of_links_and_libraries_are_understood_others_are_named() -> None:
    hooks = [
        {"hookName": "createContainer", "path": "/usr/bin/nvidia-cdi-hook", "args": ["nvidia-cdi-hook", "create-symlinks", "--link", "libcuda.so.1::/usr/lib/libcuda.so"]},
        {"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk", "args": ["nvidia-ctk", "hook", "update-ldcache", "--folder", "/usr/lib", "--folder=/opt/lib"]},
        {"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk", "args": ["nvidia-ctk", "hook", "chmod", "--mode", "755"]},
        {"hookName": "prestart", "path": "/opt/own", "args": ["own", "do"]},
    ]  # fmt: skip
    found = parse_edits({"hooks": hooks, "intelRdt": {"closID": "a"}}, "f.yaml")
    assert found.links == (("libcuda.so.1", "/usr/lib/libcuda.so"),)
    assert found.folders == ("/usr/lib", "/opt/lib")
    assert found.warnings == (
        "the CDI hook /opt/own do is not run: hooks are not supported",
        "f.yaml: intelRdt has no effect: it is not supported",
    )
