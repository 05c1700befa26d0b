"""Who may join a network, and leave it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.containers.config import Config, HostConfig
from engine.containers.joining import check_join, check_leave
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
