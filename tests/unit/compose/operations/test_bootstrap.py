"""The recipe of a bootstrapped image, and its deterministic archive."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from compose.errors import ComposeError, UsageError
from compose.operations import bootstrap
from compose.operations.base_image import docker_archive, image_config
from compose.operations.bootstrap import Archive, BootstrapRequest, Recipe, pack, plan_recipe


@pytest.mark.parametrize(
    ("name", "suite", "slim", "tag"),
    [
        ("debian:bookworm-slim", "bookworm", True, "bookworm-slim"),
        ("debian:12", "bookworm", False, "12"),
        ("docker.io/library/debian:trixie", "trixie", False, "trixie"),
        ("debian", "trixie", False, "latest"),
        ("ubuntu:24.04", "noble", False, "24.04"),
    ],
)
def test_a_name_chooses_its_suite(name: str, suite: str, slim: bool, tag: str) -> None:
    recipe, _, named = plan_recipe(BootstrapRequest(name), "x86_64")
    assert (recipe.suite, recipe.slim, named, recipe.architecture) == (suite, slim, tag, "amd64")


@pytest.mark.parametrize("name", ["alpine:3", "debian:potato", "ubuntu:noble-slim", "redis"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="debian:bookworm"):
        plan_recipe(BootstrapRequest(name), "x86_64")


def test_the_digest_follows_whatever_decides_the_bytes() -> None:
    def digest(**changes: object) -> str:
        request = BootstrapRequest("debian:bookworm-slim", **changes)  # type: ignore[arg-type]
        return plan_recipe(request, "x86_64")[0].digest

    assert digest() == digest(refresh=True)
    assert len({digest(), digest(packages=("curl",)), digest(mirror="http://localhost/")}) == 3
    assert digest(packages=("a", "b")) == digest(packages=("b", "a", "a"))


def test_packing_is_deterministic_and_leaves_out_what_slim_does(tmp_path: Path) -> None:
    recipe, _, _ = plan_recipe(BootstrapRequest("debian:bookworm-slim"), "x86_64")
    images = []
    for turn, names in enumerate((["b", "a"], ["a", "b"])):
        root = tmp_path / str(turn)
        for name in names:
            (root / "usr/share/doc" / name).mkdir(parents=True)
            (root / "usr/share/doc" / name / "copyright").write_text("free")
            (root / "usr/share/doc" / name / "README").write_text("long")
        os.utime(root / "usr", (recipe.epoch + turn * 1000 + 5,) * 2)
        pack(root, tmp_path / f"{turn}.tar", recipe)
        images.append((tmp_path / f"{turn}.tar").read_bytes())
    assert images[0] == images[1]
    with tarfile.open(tmp_path / "0.tar") as archive:
        files = [entry.name for entry in archive if entry.isfile()]
        assert files == ["./usr/share/doc/a/copyright", "./usr/share/doc/b/copyright"]
        assert all(entry.mtime <= recipe.epoch for entry in archive)


def test_without_a_tool_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe: Recipe = plan_recipe(BootstrapRequest("debian:bookworm-slim"), "x86_64")[0]
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    with pytest.raises(ComposeError, match="apt-get install mmdebstrap"):
        bootstrap.find_tool(recipe)


def test_the_date_and_the_variant_are_the_persons() -> None:
    request = BootstrapRequest("debian:12", variant="buildd")
    recipe, _, _ = plan_recipe(request, "x86_64", "86400")
    assert (recipe.epoch, recipe.variant) == (86400, "buildd")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        plan_recipe(request, "x86_64", "yesterday")
    with pytest.raises(UsageError, match="minbase"):
        plan_recipe(BootstrapRequest("debian:12", variant="huge"), "x86_64")


def test_the_image_is_the_same_for_the_same_recipe_and_archive(tmp_path: Path) -> None:
    recipe, repository, tag = plan_recipe(BootstrapRequest("debian:12"), "x86_64", "86400")
    root = tmp_path / "root.tar"
    root.write_bytes(b"x" * 1000)
    config = image_config(recipe, "sha256:abc")
    assert config == image_config(recipe, "sha256:abc")
    assert json.loads(config)["created"] == "1970-01-02T00:00:00Z"
    raw = b"".join(docker_archive(Archive(root, repository, tag, recipe), config))
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        assert archive.getnames() == ["config.json", "manifest.json", "layer.tar"]
        (entry,) = json.loads(archive.extractfile("manifest.json").read())
        assert entry["RepoTags"] == ["debian:12"]
        assert archive.extractfile("layer.tar").read() == root.read_bytes()
        assert archive.extractfile("config.json").read() == config


@pytest.mark.parametrize(
    ("machine", "mirror", "expected"),
    [
        ("x86_64", "", "http://archive.ubuntu.com/ubuntu"),
        ("aarch64", "", "http://ports.ubuntu.com/ubuntu-ports"),
        ("x86_64", "http://mirror.test/u", "http://mirror.test/u"),
    ],
)
def test_ubuntu_has_its_keys_mirror_pockets_and_components(
    machine: str, mirror: str, expected: str
) -> None:
    request = BootstrapRequest("ubuntu:24.04", ("curl",), mirror)
    recipe, _, _ = plan_recipe(request, machine)
    assert bootstrap.apt_sources(recipe).splitlines() == [
        f"deb {expected} {pocket} main universe"
        for pocket in ("noble", "noble-updates", "noble-security")
    ]
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[machine]
    keys = "--keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    command = bootstrap.mmdebstrap_command(recipe, Path("/t.tar"), Path("/files"), Path("/sources"))
    assert command[0] == "mmdebstrap"
    assert command[-3:] == ["noble", "/t.tar", "/sources"]
    assert {keys, f"--architectures={architecture}", "--include=curl", "--variant=minbase"} < set(command)  # fmt: skip
    assert bootstrap.debootstrap_command(recipe, Path("/root")) == [
        "debootstrap", "--variant=minbase", f"--arch={architecture}", keys,
        "--components=main,universe", "--include=curl", "noble", "/root", expected,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "package"),
    [("ubuntu:24.04", "ubuntu-keyring"), ("debian:12", "debian-archive-keyring")],
)
def test_without_the_keys_it_says_what_to_install(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "mmdebstrap"
    tool.write_text("#!/bin/sh")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    keys = tmp_path / Path(f"/usr/share/keyrings/{name.partition(':')[0]}-archive-keyring.gpg").name
    monkeypatch.setattr(bootstrap, "keyring_of", lambda _recipe: keys)
    with pytest.raises(ComposeError, match=f"apt-get install {package}$"):
        bootstrap.find_tool(plan_recipe(BootstrapRequest(name), "x86_64")[0])


def test_a_mirror_out_of_reach_is_one_line() -> None:
    recipe = plan_recipe(BootstrapRequest("ubuntu:noble"), "x86_64")[0]
    script = "echo one; echo 'E: Could not connect' >&2; echo >&2; echo 'E: apt-get update failed' >&2; exit 25"
    with pytest.raises(ComposeError) as caught:
        bootstrap.run_tool(["sh", "-c", script], recipe)
    assert str(caught.value).startswith("sh could not make ubuntu noble (exit code 25): ")
    assert "(exit code 25): Could not connect" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (
            ("Err:1 http://m jammy InRelease\n"
            "E: Failed to fetch http://m/dists/jammy/InRelease  Could not connect\n"
            "E: Some index files failed to download. They have been ignored, or old ones used instead.\n"
            "E: apt-get update --error-on=any failed\nI: removing tempdir /tmp/x\nE: mmdebstrap failed to run\n"),
            "Failed to fetch http://m/dists/jammy/InRelease  Could not connect",
        ),
        ("E: Unable to locate package nosuch\nE: setup failed: E: apt-get install", "Unable to locate package nosuch"),
        ("E: setup failed: no room\n", "setup failed: no room"),
        ("one\ntwo\nthree\nfour\n", "two; three; four"),
        ("", "it said nothing"),
    ],
)  # fmt: skip
def test_of_all_that_a_tool_says_the_cause_is_told(output: str, cause: str) -> None:
    assert bootstrap.cause_in(output) == cause
