"""Docker's documents and our values: what goes in comes out."""

import json

import pytest

from engine.containers import docker_json
from engine.containers.config import Config, HealthConfig, HostConfig, PortBinding, RestartPolicy
from engine.containers.model import (
    Container,
    EndpointSettings,
    Health,
    HealthLog,
    MountPoint,
    State,
)
from engine.errors import InvalidRequestError


def a_container() -> Container:
    return Container(
        id="ab" * 32, name="web", created_ns=5, image="sha256:1",
        config=Config(
            image="web", cmd=("a", "b"), labels={"k": "v"}, exposed_ports={"80/tcp": {}},
            healthcheck=HealthConfig(("CMD", "true"), interval=7),
        ),
        host_config=HostConfig(
            network_mode="front", port_bindings={"80/tcp": (PortBinding("", "8080"),)},
            restart_policy=RestartPolicy("on-failure", 3), binds=("a:/b",), memory=1 << 20,
        ),
        path="a", args=("b",),
        networks={"front": EndpointSettings(aliases=("x",))},
        mounts=(MountPoint("volume", "/b", name="a", anonymous=True),),
        state=State("running", pid=7, health=Health("healthy", 0, (HealthLog(1, 2, 0, "ok"),))),
    )  # fmt: skip


def test_a_container_survives_the_database() -> None:
    container = a_container()
    stored = json.dumps(docker_json.encode(container))
    assert docker_json.decode(Container, json.loads(stored)) == container


def test_docker_names_are_used() -> None:
    document = docker_json.encode(a_container().host_config)
    assert document["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert document["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert "Sysctls" not in document


def test_null_unknown_and_a_string_for_a_command() -> None:
    config = docker_json.decode(Config, {"Cmd": "true", "Env": None, "Nonsense": 1})
    assert config == Config(cmd=("true",))


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ({"Tty": "yes"}, "Tty"),
        ({"Env": {"a": "b"}}, "Env"),
        ({"Healthcheck": {"Interval": "1s"}}, "Healthcheck.Interval"),
        ([], "must be an object"),
    ],
)
def test_a_wrong_kind_is_named(document: object, word: str) -> None:
    with pytest.raises(InvalidRequestError, match=word):
        docker_json.decode(Config, document)
