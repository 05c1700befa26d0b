"""Which platforms a build may be for, and which of them run here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.build.dockerfile import parse
from engine.build.platforms import can_run, check_runs, read_platform, read_platforms
from engine.build.solve import solve
from engine.errors import InvalidRequestError, NotSupportedError
from engine.images.registry.manifest import Platform

if TYPE_CHECKING:
    from pathlib import Path

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")


def test_a_request_for_nothing_or_for_this_host_is_for_this_host() -> None:
    assert read_platform("", AMD) == AMD
    assert read_platform("linux/amd64", AMD) == AMD
    assert read_platform("linux/arm/v7", AMD) == Platform("linux", "arm", "v7")


def test_several_platforms_each_once() -> None:
    assert read_platforms("", AMD) == (AMD,)
    assert read_platforms("linux/amd64, linux/arm64,linux/amd64", AMD) == (AMD, ARM)
    assert read_platforms("aarch64,arm/v7", AMD) == (ARM, Platform("linux", "arm", "v7"))


def test_what_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(NotSupportedError, match="windows/amd64"):
        read_platform("windows/amd64", AMD)
    with pytest.raises(InvalidRequestError, match="is no platform"):
        read_platform("amiga", AMD)


def test_other_platforms_run_where_an_interpreter_is_registered_to_be_held_open(
    tmp_path: Path,
) -> None:
    entry = tmp_path / "qemu-aarch64"
    assert not can_run(ARM, AMD, tmp_path)
    entry.write_text("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n")
    assert can_run(ARM, AMD, tmp_path)
    entry.write_text("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OC\noffset 0\n")
    assert not can_run(ARM, AMD, tmp_path)  # the interpreter would be looked for in the container
    entry.write_text("disabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n")
    with pytest.raises(NotSupportedError, match="cannot run programs for linux/arm64"):
        check_runs(ARM, AMD, tmp_path)


def test_a_processor_runs_its_smaller_sibling_s_programs(tmp_path: Path) -> None:
    assert can_run(Platform("linux", "386"), AMD, tmp_path)
    assert not can_run(AMD, Platform("linux", "386"), tmp_path)


def test_arguments_tell_both_platforms() -> None:
    text = "ARG BUILDARCH\nARG TARGETPLATFORM\nFROM --platform=$BUILDPLATFORM a-$BUILDARCH\n"
    found = solve(parse(text), {}, AMD, wanted=ARM)
    assert (found.stages[0].platform, found.stages[0].base) == ("linux/amd64", "a-amd64")
    assert found.arguments.globals["TARGETPLATFORM"] == "linux/arm64"
