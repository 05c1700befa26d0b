"""Who may join a network, and leave it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.containers.config import Config, HostConfig
from engine.containers.joining import check_join, check_leave, tracer_warnings
from engine.containers.model import Container, EndpointSettings, State
from engine.errors import ConflictError, ForbiddenError, InvalidRequestError

BOX = Container(
    "box",
    "box",
    0,
    "",
    Config(),
    HostConfig(network_mode="bridge"),
    networks={"bridge": EndpointSettings()},
)
RUNNING = replace(BOX, state=State(status="running"))


def mode(name: str) -> Container:
    return replace(BOX, host_config=HostConfig(network_mode=name))


@pytest.mark.parametrize(
    ("container", "network", "error"),
    [
        (BOX, "net", None),
        (RUNNING, "net", None),
        (BOX, "bridge", None),
        (RUNNING, "bridge", ForbiddenError),
        (BOX, "host", InvalidRequestError),
        (BOX, "none", InvalidRequestError),
        (mode("host"), "net", InvalidRequestError),
        (mode("none"), "net", InvalidRequestError),
        (mode("container:other"), "net", InvalidRequestError),
    ],
)
def test_joining(container: Container, network: str, error: type[Exception] | None) -> None:
    if error is None:
        check_join(container, network, EndpointSettings())
        return
    with pytest.raises(error, match="box"):
        check_join(container, network, EndpointSettings())


def test_the_default_bridge_has_no_aliases() -> None:
    check_join(BOX, "net", EndpointSettings(aliases=("x",)))
    with pytest.raises(InvalidRequestError, match="aliases"):
        check_join(BOX, "bridge", EndpointSettings(aliases=("x",)))


def test_leaving() -> None:
    check_leave(BOX, "bridge")
    with pytest.raises(ConflictError, match="box is not connected to network net"):
        check_leave(BOX, "net")
    with pytest.raises(InvalidRequestError, match="cannot be disconnected"):
        check_leave(mode("host"), "host")


def member(name: str, **host: object) -> Container:
    return replace(BOX, id=name * 32, name=name, host_config=HostConfig(**host))  # type: ignore[arg-type]


def test_a_tracer_in_the_pid_namespace_that_is_joined_is_told() -> None:
    plain = member("plain", cap_add=("NET_ADMIN",))
    tracer = member("tracer", cap_add=("cap_sys_ptrace",))
    guest = member("guest", pid_mode="container:plain", privileged=True)
    known = [plain, tracer, guest]

    def told(pid_mode: str, there: list[Container] = known, **host: object) -> bool:
        warnings = tracer_warnings(member("new", pid_mode=pid_mode, **host), lambda: there)
        return any("may trace processes" in warning for warning in warnings)

    assert told("container:tracer")
    assert told(f"container:{tracer.id}")
    assert told("container:plain")  # its guest may
    assert not told("container:plain", [plain, tracer])
    assert not told("container:tracer", privileged=True)
    assert not told("container:nobody")
    assert not told("")
    assert not told("host")
