"""A spec crosses the border as JSON: what comes out is what went in, and little is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime import defaults
from engine.runtime.spec import (
    Cgroup,
    ContainerSpec,
    ExecSpec,
    LogTarget,
    Mount,
    Namespace,
    Process,
    Rootfs,
    decode,
    encode,
)

WORDS = st.text(max_size=8)
ROOTFS = st.builds(
    Rootfs,
    lower=st.lists(WORDS, max_size=3).map(tuple),
    upper=WORDS,
    work=WORDS,
    merged=WORDS,
    read_only=st.booleans(),
)
MOUNTS = st.builds(
    Mount,
    kind=st.sampled_from(["bind", "tmpfs", "overlay"]),
    target=WORDS,
    source=WORDS,
    options=st.lists(WORDS, max_size=2).map(tuple),
    data=WORDS,
    layers=st.none() | ROOTFS,
)
PROCESSES = st.builds(
    Process,
    args=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    env=st.lists(WORDS, max_size=3).map(tuple),
    terminal=st.booleans(),
    terminal_size=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
SPECS = st.builds(
    ContainerSpec,
    id=WORDS,
    rootfs=ROOTFS,
    process=PROCESSES,
    namespaces=st.lists(
        st.builds(Namespace, kind=st.sampled_from(["pid", "net"]), path=WORDS), max_size=2
    ).map(tuple),
    cgroup=st.builds(Cgroup, mode=st.sampled_from(["v1", "v2"]), path=WORDS),
    run_dir=WORDS,
    log=st.builds(LogTarget, path=WORDS),
    mounts=st.lists(MOUNTS, max_size=3).map(tuple),
    devices=st.just(defaults.DEVICES) | st.just(()),
    sysctls=st.lists(st.tuples(WORDS, WORDS), max_size=2).map(tuple),
    dns=st.booleans(),
)


@given(spec=SPECS)
def test_a_containers_spec_comes_out_as_it_went_in(spec: ContainerSpec) -> None:
    read = decode(ContainerSpec, encode(spec))
    assert [list(pair) for pair in read.sysctls] == [list(pair) for pair in spec.sysctls]
    # JSON knows no tuple of two: pairs come as lists, everything else as it was.
    assert encode(read) == encode(spec)
    assert read.mounts == spec.mounts
    assert read.rootfs == spec.rootfs


@given(process=PROCESSES, pid=st.integers(1, 1 << 22))
def test_an_execs_spec_too(process: Process, pid: int) -> None:
    spec = ExecSpec("e", "c", pid, 7, process, Cgroup("v2", "x/y"), "/run")
    assert encode(decode(ExecSpec, encode(spec))) == encode(spec)


def test_what_has_its_default_is_left_out_but_the_version_is_said() -> None:
    spec = ExecSpec("e", "c", 1, 7, Process(("true",), ()), Cgroup("v2", "x"), "/run")
    said = json.loads(encode(spec))
    assert set(said) == {
        "id", "container_id", "container_pid", "container_start_time", "process", "cgroup",
        "run_dir", "version",
    }  # fmt: skip
    assert said["process"] == {"args": ["true"], "env": []}


def test_fields_of_a_newer_engine_are_passed_over_and_another_version_is_refused() -> None:
    spec = ExecSpec("e", "c", 1, 7, Process(("true",), ()), Cgroup("v2", "x"), "/run")
    said = json.loads(encode(spec))
    said["process"]["colour"] = said["colour"] = "blue"
    assert decode(ExecSpec, json.dumps(said).encode()) == spec
    said["version"] = 99
    with pytest.raises(ValueError, match="spec version 99"):
        decode(ExecSpec, json.dumps(said).encode())
