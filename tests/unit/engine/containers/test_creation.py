"""What a container inherits from its image, and what is refused before anything is made."""

from dataclasses import replace

import pytest

from engine.containers.config import (
    Config,
    DriverConfig,
    HealthConfig,
    HostConfig,
    LogConfig,
    MountRequest,
    RestartPolicy,
    VolumeOptions,
)
from engine.containers.creation import merge_config, plan_container
from engine.containers.model import Container, ContainerRequest, EndpointSettings, NetworkingConfig
from engine.errors import EngineError, InvalidRequestError, NotFoundError, NotSupportedError
from engine.images.model import Image

IMAGE = Config(
    cmd=("serve",), entrypoint=("/run.sh",), env=("A=1", "PATH=/bin"), user="app", labels={"i": "1"},
    working_dir="/srv", healthcheck=HealthConfig(("CMD", "check"), interval=5), stop_signal="SIGINT",
)  # fmt: skip


def nobody(name: str) -> Container:
    raise NotFoundError(f"No such container: {name}")


def plan(request: ContainerRequest) -> Container:
    image = Image("sha256:1", {"config": {"Cmd": ["serve"]}}, ())
    return plan_container(request, image, "ab" * 32, 1, nobody)


def test_what_is_left_open_comes_from_the_image() -> None:
    merged = merge_config(Config(env=("A=2", "B=3")), IMAGE)
    assert merged.cmd == ("serve",)
    assert merged.entrypoint == ("/run.sh",)
    assert merged.env == ("PATH=/bin", "A=2", "B=3")
    assert (merged.user, merged.working_dir, merged.stop_signal) == ("app", "/srv", "SIGINT")


def test_an_entrypoint_of_ones_own_drops_the_images_command() -> None:
    assert merge_config(Config(entrypoint=("sh",)), IMAGE).cmd is None
    assert merge_config(Config(entrypoint=("",), cmd=("a",)), IMAGE).entrypoint is None


def test_half_a_health_check_is_completed() -> None:
    merged = merge_config(Config(healthcheck=HealthConfig(interval=9)), IMAGE).healthcheck
    assert merged == HealthConfig(("CMD", "check"), interval=9)


def test_the_networks_begin_with_the_mode() -> None:
    networks = NetworkingConfig({"b": EndpointSettings(), "a": EndpointSettings()})
    made = plan(ContainerRequest(Config(image="x"), HostConfig(network_mode="a"), networks))
    assert list(made.networks) == ["a", "b"]
    assert list(plan(ContainerRequest(Config(image="x"))).networks) == ["bridge"]
    assert not plan(ContainerRequest(Config(image="x"), HostConfig(network_mode="none"))).networks


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ContainerRequest(Config(), name="-x"), "Invalid container name"),
        (ContainerRequest(Config(stop_signal="NOPE")), "invalid signal"),
        (ContainerRequest(Config(working_dir="x")), "absolute path"),
        (ContainerRequest(Config(), HostConfig(log_config=LogConfig("gelf"))), "gelf"),
        (ContainerRequest(Config(), HostConfig(memory=1)), "6MB"),
        (ContainerRequest(Config(), HostConfig(storage_opt={"size": "1"})), "storage_opt"),
        (ContainerRequest(Config(), HostConfig(restart_policy=RestartPolicy("x"))), "policy"),
        (ContainerRequest(Config(), HostConfig(runtime="kata")), "kata"),
    ],
)
def test_what_cannot_be_is_refused(request_: ContainerRequest, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        plan(request_)


def test_without_a_command_there_is_nothing_to_run() -> None:
    with pytest.raises(InvalidRequestError, match="no command specified"):
        plan(replace(ContainerRequest(Config()), config=Config(entrypoint=("",), cmd=())))


@pytest.mark.parametrize(
    "host", [HostConfig(links=("nope:x",)), HostConfig(volumes_from=("nope",))]
)
def test_who_is_not_there_is_the_requests_fault(host: HostConfig) -> None:
    with pytest.raises(InvalidRequestError, match="No such container: nope"):
        plan(ContainerRequest(Config(image="i"), host))


def test_links_of_other_networks_are_names_only() -> None:
    host = HostConfig(links=("nope:x",), network_mode="front")
    assert plan(ContainerRequest(Config(image="i"), host)).host_config.links == ("nope:x",)


@pytest.mark.parametrize(
    ("driver", "error"), [("nope", InvalidRequestError), ("gelf", NotSupportedError)]
)
def test_a_logging_driver_that_nobody_has_is_a_mistake(
    driver: str, error: type[EngineError]
) -> None:
    with pytest.raises(error, match="use json-file, local"):
        plan(ContainerRequest(Config(image="i"), HostConfig(log_config=LogConfig(driver))))


@pytest.mark.parametrize(
    ("mount", "error"),
    [
        (MountRequest("foo", target="/x"), InvalidRequestError),
        (MountRequest("cluster", target="/x"), NotSupportedError),
        (
            MountRequest(
                "volume",
                target="/x",
                volume_options=VolumeOptions(driver_config=DriverConfig("nope")),
            ),
            NotFoundError,
        ),
    ],
)
def test_a_mount_of_a_kind_that_is_not_there(mount: MountRequest, error: type[EngineError]) -> None:
    with pytest.raises(error):
        plan(ContainerRequest(Config(image="i"), HostConfig(mounts=(mount,))))
