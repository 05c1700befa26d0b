"""Whose network namespace a container uses, and who keeps one alive."""

from __future__ import annotations

from engine.containers.config import Config, HostConfig
from engine.containers.model import Container, State
from engine.containers.sharing import keeper_of, owner_of


def container(name: str, mode: str = "bridge", *, running: bool = True) -> Container:
    state = State(status="running" if running else "exited")
    return Container(name, name, 0, "", Config(), HostConfig(network_mode=mode), state=state)


def test_the_owner_is_at_the_end_of_the_chain() -> None:
    one, two = container("one"), container("two", "container:one")
    three = container("three", "container:two")
    known = {c.id: c for c in (one, two, three)}
    assert owner_of(three, known) == "one"
    assert owner_of(two, known) == "one"
    assert owner_of(one, known) == "one"
    assert owner_of(container("four", "container:gone"), known) == "gone"
    loop = container("loop", "container:pool")
    pool = container("pool", "container:loop")
    assert owner_of(loop, {"loop": loop, "pool": pool}) == "loop"


def test_a_keeper_runs_and_shares() -> None:
    one = container("one", running=False)
    sleeping = container("sleeping", "container:one", running=False)
    other = container("other", "container:elsewhere")
    known = {c.id: c for c in (one, sleeping, other)}
    assert keeper_of("one", [sleeping, other], known) is None
    far = container("far", "container:sleeping")
    assert keeper_of("one", [sleeping, other, far], {**known, "far": far}) == far
