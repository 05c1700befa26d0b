"""Images for other platforms: made where nothing of theirs has to run here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.integration.engine.build.builds import Site

pytestmark = pytest.mark.root
CROSS = """\
FROM --platform=$BUILDPLATFORM busybox:bench AS build
ARG TARGETARCH TARGETVARIANT
RUN echo "for $TARGETARCH $TARGETVARIANT" > /program
FROM scratch
COPY --from=build /program /program
ENTRYPOINT ["/program"]
"""


def test_a_cross_build_makes_an_image_of_the_other_platform(site: Site) -> None:
    told = site.made(CROSS, platform="linux/arm/v7")
    document = site.call("GET", f"/images/{told.image}/json")
    assert (document["Os"], document["Architecture"], document["Variant"]) == ("linux", "arm", "v7")
    assert site.read(told.image, "program") == "for arm v7\n"
    own = site.made(CROSS)
    assert site.call("GET", f"/images/{own.image}/json")["Architecture"] != "arm"
    assert "for arm" not in site.read(own.image, "program")


def test_a_run_for_a_platform_without_an_emulator_is_refused(site: Site) -> None:
    error = site.refused(
        "FROM scratch\nCOPY a /a\nRUN true\n", {"a": "1"}, platform="linux/riscv64"
    )
    assert "Dockerfile:3: RUN: cannot run programs for linux/riscv64" in error
    assert "binfmt_misc" in error
    several = site.refused(
        "FROM scratch\nCOPY a /a\nRUN true\n", {"a": "1"}, platform="linux/amd64,linux/riscv64"
    )
    assert "RUN" in several


def test_a_base_image_of_another_platform_is_not_taken_for_it(site: Site) -> None:
    error = site.refused("FROM busybox:bench\n", platform="linux/riscv64")
    assert "the busybox:bench that is here is for linux/" in error


def test_several_platforms_make_an_index_that_moves_whole(site: Site) -> None:
    told = site.made(CROSS, platform="linux/amd64,linux/arm64", t="cross:1")
    assert any(
        title.startswith("[linux/arm64 build 2/2] RUN") for title in (*told.made, *told.cached)
    )
    (line,) = site.call(
        "GET", "/images/json?manifests=1&filters=" + quote('{"reference":["cross:1"]}')
    )
    found = {one["ImageData"]["Platform"]["architecture"]: one for one in line["Manifests"]}
    assert sorted(found) == ["amd64", "arm64"]
    assert all(one["Available"] and one["Kind"] == "image" for one in found.values())
    assert line["Descriptor"]["digest"] == told.image
    asked = quote('{"os": "linux", "architecture": "arm64"}')
    other = site.call("GET", f"/images/cross:1/json?platform={asked}")
    assert other["Architecture"] == "arm64"
    assert site.read(other["Id"], "program") == "for arm64 \n"
    assert site.call("GET", "/images/cross:1/json")["Id"] != other["Id"]
    tar = site.raw("GET", "/images/cross:1/get")
    site.call("DELETE", "/images/cross:1")
    assert site.call("POST", "/images/load?quiet=1", tar)["stream"] == "Loaded image: cross:1\n"
    again = site.call("GET", "/images/cross:1/json?manifests=1")
    assert again["Descriptor"]["digest"] == told.image
    assert len(again["Manifests"]) == 2
    site.call("DELETE", "/images/cross:1")
    asked = quote("linux/arm64")
    site.call("POST", f"/images/load?quiet=1&platform={asked}", tar)
    alone = site.call("GET", "/images/cross:1/json?manifests=1")
    assert alone["Architecture"] == "arm64"
    assert [one["Available"] for one in alone["Manifests"]] == [False, True]
    assert site.call("POST", "/images/prune?filters=" + quote('{"dangling":["true"]}')) is not None
    assert site.call("GET", "/images/cross:1/json")["Architecture"] == "arm64"
    site.call("DELETE", "/images/cross:1")


def test_a_stage_of_the_host_s_own_platform_is_run_once_for_all(site: Site) -> None:
    shared = (
        "FROM --platform=$BUILDPLATFORM busybox:bench AS build\nRUN echo unique-3781 > /out\n"
        "FROM scratch\nCOPY --from=build /out /out\n"
    )
    told = site.made(shared, platform="linux/amd64,linux/arm64,linux/arm/v7")
    ran = [title for title in told.made if "RUN" in title]
    assert len(ran) == 1
    assert sum("RUN" in title for title in told.cached) == 2


def test_a_container_is_made_of_the_platform_that_is_asked_for(site: Site) -> None:
    site.made(CROSS, platform="linux/amd64,linux/arm64", t="cross:2")
    body = json.dumps({"Image": "cross:2", "Cmd": ["/x"]}).encode()
    made = site.call("POST", "/containers/create?platform=linux/arm64", body, "application/json")
    shown = site.call("GET", f"/containers/{made['Id']}/json")
    asked = quote('{"os": "linux", "architecture": "arm64"}')
    assert shown["Image"] == site.call("GET", f"/images/cross:2/json?platform={asked}")["Id"]
    (line,) = [one for one in site.call("GET", "/containers/json?all=1") if one["Id"] == made["Id"]]
    assert line["Image"] == "cross:2"
    with pytest.raises(AssertionError, match="404.*does not provide the specified platform"):
        site.call("POST", "/containers/create?platform=linux/s390x", body, "application/json")
    site.call("DELETE", f"/containers/{made['Id']}")
    site.call("DELETE", "/images/cross:2")
