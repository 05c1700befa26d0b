"""RUN --mount flags read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.build.dockerfile import parse
from engine.build.mount_flags import mounts
from engine.errors import EngineError, InvalidRequestError


def read(flag: str, **variables: str):
    instruction = parse(f"FROM x\nRUN --mount={flag} true").instructions[1]
    (found,) = mounts(instruction, variables.get, "\\", "/work")
    return found


def test_defaults_of_each_type() -> None:
    bind = read("target=sub")
    assert (bind.kind, bind.target, bind.read_only) == ("bind", "/work/sub", True)
    assert not read("type=bind,dst=/a,rw").read_only
    cache = read("type=cache,target=/c")
    assert (cache.identity, cache.sharing, cache.mode, cache.read_only) == (
        "/c",
        "shared",
        0o755,
        False,
    )
    assert read("type=cache,target=/c,ro").read_only
    secret = read("type=secret,id=a/key")
    assert (secret.target, secret.mode) == ("/run/secrets/key", 0o400)
    assert read("type=secret,id=k,env=V").target == ""
    assert read("type=ssh").target == "/run/buildkit/ssh_agent.0"
    assert read("type=tmpfs,target=/t,size=64m").size == 64 << 20


def test_variables_and_quotes() -> None:
    assert read("type=cache,target=/c,id=$A", A="one").identity == "one"
    assert read('"type=cache,target=/a b"').target == "/a b"


@pytest.mark.parametrize(
    "flag",
    [
        "type=secret,id=k,env=1x",
        "type=secret",
        "type=ssh,wat=1",
        "type=cache,target=/c,mode=99",
        "type=cache,target=/c,uid=x",
        "target=/a,ro=perhaps",
    ],
)
def test_what_is_wrong_is_named(flag: str) -> None:
    with pytest.raises(InvalidRequestError, match="Dockerfile:2: RUN --mount"):
        read(flag)


@given(st.text(alphabet="typebindcash=,/\"' $", max_size=30))
def test_any_flag_is_read_or_refused(flag: str) -> None:
    with contextlib.suppress(EngineError):
        instruction = parse(f"FROM x\nRUN --mount=x{flag} true").instructions[1]
        mounts(instruction, {}.get, "\\", "/")
