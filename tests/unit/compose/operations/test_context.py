"""The context's tar, and what is given beside it."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from compose.errors import ProjectError
from compose.model.build import Build
from compose.model.files import FileGrant, FileSource
from compose.model.project import Project
from compose.model.record import changed
from compose.model.service import Service
from compose.operations.build_inputs import agents_of, gather_inputs
from compose.operations.build_query import BuildOptions, build_query
from compose.operations.context import Context

if TYPE_CHECKING:
    from pathlib import Path


def names(context: Context) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(context.pieces()))) as archive:
        return [entry.name for entry in archive]


def project_of(build: Build, **sources: FileSource) -> tuple[Project, Service]:
    service = Service(name="web", build=build)
    other = Service(name="other", image="other:1", build=Build(context="/x"))
    project = Project(
        name="p",
        files=(),
        working_dir="/",
        services={"web": service, "other": other},
        secrets=sources,
        environment={"E": "from-env"},
    )
    return project, service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d/deep").mkdir(parents=True)
    for name in ("Dockerfile", "a.txt", "b.md", "d/deep/x", "d/y"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a.txt")
    return tmp_path


def test_ignored_files_stay_behind_and_the_dockerfile_does_not(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*\n!d/deep\n")
    assert names(Context(folder, "")) == [".dockerignore", "Dockerfile", "d/deep", "d/deep/x"]


def test_a_dockerfile_s_own_ignore_file_goes_first(folder: Path) -> None:
    (folder / ".dockerignore").write_text("a.txt")
    (folder / "b.md.dockerignore").write_text("d")
    found = names(Context(folder, "b.md"))
    assert "a.txt" in found
    assert "d/y" not in found


def test_a_dockerfile_beside_the_context(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("o") / "D"
    outside.write_text("FROM x")
    kept = Context(folder, str(outside))
    assert kept.dockerfile in names(kept)
    apart = Context(folder, str(outside), apart=True)
    assert apart.text == "FROM x"
    assert apart.dockerfile not in names(apart)
    assert Context(folder, "", "FROM inline", apart=True).text == "FROM inline"


def test_folders_of_named_contexts_come_along(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "kept").write_text("")
    (other / "dropped").write_text("")
    (other / ".dockerignore").write_text("dropped")
    found = names(Context(folder, "", folders=[("named/0", other)]))
    assert "named/0/kept" in found
    assert "named/0/dropped" not in found


def test_a_missing_folder_or_dockerfile_is_named(folder: Path) -> None:
    with pytest.raises(ProjectError, match="nowhere"):
        Context(folder / "nowhere", "")
    with pytest.raises(ProjectError, match=r"No\.such"):
        Context(folder, "No.such")


def test_inputs(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"\0secret")
    build = Build(
        secrets=(FileGrant(source="f"), FileGrant(source="e", target="renamed")),
        additional_contexts={
            "lib": str(tmp_path),
            "img": "docker-image://i",
            "svc": "service:other",
            "git": "https://h/r.git",
        },
    )
    project, service = project_of(
        build,
        f=FileSource(key="f", name="f", file=str(tmp_path / "s")),
        e=FileSource(key="e", name="e", environment="E"),
    )
    inputs = gather_inputs(project, service, {"default": "/agent"}, "FROM x", check=True, other="")
    document = json.loads(inputs.encoded())
    assert {key: base64.b64decode(text) for key, text in document["secrets"].items()} == {
        "f": b"\0secret",
        "renamed": b"from-env",
    }
    assert document["ssh"] == {"default": "/agent"}
    assert document["dockerfile"] == "FROM x"
    assert document["check"] is True
    assert document["contexts"]["img"] == "docker-image://i"
    assert document["contexts"]["svc"] == "docker-image://other:1"
    assert document["contexts"]["git"] == "https://h/r.git"
    ((place, path),) = inputs.folders
    assert document["contexts"]["lib"] == f"folder:{place}"
    assert path == tmp_path


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (Build(privileged=True), "privileged"),
        (Build(entitlements=("security.insecure",)), "security.insecure"),
        (Build(isolation="hyperv"), "hyperv"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(build: Build, said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        build_query(*project_of(build), BuildOptions())


@pytest.mark.parametrize(
    ("own", "listed", "default", "every", "wanted"),
    [
        ("", ("linux/amd64", "linux/arm64"), "", True, "linux/amd64,linux/arm64"),
        ("", ("linux/amd64", "linux/arm64"), "", False, None),
        ("linux/arm64", ("linux/amd64", "linux/arm64"), "", True, "linux/amd64,linux/arm64"),
        ("linux/arm64", ("linux/amd64", "linux/arm64"), "", False, "linux/arm64"),
        ("", ("linux/amd64", "linux/arm64"), "linux/arm64", False, "linux/arm64"),
        ("", ("linux/arm64",), "", False, "linux/arm64"),
        ("linux/arm64", (), "", True, "linux/arm64"),
        ("", (), "linux/arm64", True, "linux/arm64"),
    ],
)
def test_build_makes_every_platform_and_up_the_one_to_run(
    own: str, listed: tuple[str, ...], default: str, every: bool, wanted: str | None
) -> None:
    project, service = project_of(Build(platforms=listed))
    service = changed(service, platform=own)
    if default:
        project = changed(project, environment={"DOCKER_DEFAULT_PLATFORM": default})
    query = build_query(project, service, BuildOptions(every_platform=every))
    assert query.get("platform") == wanted


def test_bad_inputs_are_refused_by_name(tmp_path: Path) -> None:
    for build, said in (
        (Build(secrets=(FileGrant(source="f"),)), "No such file"),
        (Build(secrets=(FileGrant(source="e"),)), '"NOT_SET" is not set'),
        (Build(additional_contexts={"a": str(tmp_path / "no")}), "no such folder"),
        (Build(additional_contexts={"a": "oci-layout://x"}), "oci-layout is not supported"),
    ):
        project, service = project_of(
            build,
            f=FileSource(key="f", name="f", file="/no/such"),
            e=FileSource(key="e", name="e", environment="NOT_SET"),
        )
        with pytest.raises(ProjectError, match=said):
            gather_inputs(project, service, {}, None)


def test_an_agent_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ProjectError, match="SSH_AUTH_SOCK"),
        agents_of(("default",), {}, "services.web.build.ssh"),
    ):
        pass
    (tmp_path / "no-key").write_text("x")
    with (
        pytest.raises(ProjectError, match="no-key"),
        agents_of((f"default={tmp_path}/no-key",), {}, "services.web.build.ssh"),
    ):
        pass
