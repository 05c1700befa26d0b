"""Indexes as values: what is meant without a platform, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.images.indexes import ImageIndex, Member, made_index, preferred, read_index
from engine.images.registry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Index,
    Platform,
    parse_manifest,
    provides,
)

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")
A = Member(f"sha256:{'a' * 64}", 11, OCI_MANIFEST, AMD, "sha256:one")
B = Member(f"sha256:{'b' * 64}", 12, OCI_MANIFEST, Platform("linux", "arm64", "v8"), "sha256:two")


def test_the_host_s_own_platform_is_meant_else_the_first_that_is_here() -> None:
    index = ImageIndex("sha256:i", OCI_INDEX, (B, A))
    assert preferred(index, ("sha256:one", "sha256:two"), AMD) == "sha256:one"
    assert preferred(index, ("sha256:two",), AMD) == "sha256:two"
    assert preferred(index, (), AMD) == ""


def test_what_is_written_is_read_again() -> None:
    raw, index = made_index((A, B))
    assert json.loads(raw)["manifests"][1]["platform"] == {
        "architecture": "arm64",
        "os": "linux",
        "variant": "v8",
    }
    parsed = parse_manifest(raw, "", index.id)
    assert isinstance(parsed, Index)
    assert read_index(parsed, {A.digest: A.image, B.digest: B.image}) == index


def test_docker_s_manifests_go_into_docker_s_list() -> None:
    docker = [replace(one, media_type=DOCKER_MANIFEST) for one in (A, B)]
    assert made_index(docker)[1].media_type == DOCKER_LIST
    assert made_index((A, docker[1]))[1].media_type == OCI_INDEX


def test_an_entry_without_a_platform_is_no_image() -> None:
    entry = {"mediaType": OCI_MANIFEST, "digest": A.digest, "size": 1}
    raw = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    parsed = parse_manifest(raw, OCI_INDEX)
    assert isinstance(parsed, Index)
    assert not read_index(parsed, {}).members[0].is_image


@pytest.mark.parametrize(
    ("offered", "wanted", "fits"),
    [
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/amd64", "linux/x86_64", True),
        ("linux/amd64", "arm64", False),
    ],
)
def test_what_an_image_is_for_and_what_is_asked_for(offered: str, wanted: str, fits: bool) -> None:
    assert provides(Platform.parse(offered), Platform.parse(wanted)) is fits
