"""Images for other platforms: made where nothing of theirs has to run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    assert "at once" in site.refused("FROM scratch\n", platform="linux/amd64,linux/arm64")


def test_a_base_image_of_another_platform_is_not_taken_for_it(site: Site) -> None:
    error = site.refused("FROM busybox:bench\n", platform="linux/riscv64")
    assert "the busybox:bench that is here is for linux/" in error
