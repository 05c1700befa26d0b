"""The config hash: what changes it and what does not; equal to docker compose's."""

from __future__ import annotations

import pytest

from compose.model.files import FileGrant, FileSource
from compose.model.network import Network
from compose.model.volume import Volume
from compose.planner.config_hash import (
    contents_hash,
    network_hash,
    resolved_document,
    service_hash,
    shared_services,
    volume_hash,
)
from tests.unit.compose.planner.builders import project, service


def hashed(**document: object) -> str:
    return service_hash(service("a", document=document), {})


@pytest.mark.parametrize(
    "more",
    [
        {"build": {}},
        {"pull_policy": "always"},
        {"scale": 3},
        {"depends_on": {"b": {}}},
        {"profiles": ["p"]},
        {"deploy": {"replicas": 2}},
    ],
)
def test_what_makes_no_other_container_makes_no_other_hash(more: dict[str, object]) -> None:
    base = {"image": "i", "deploy": {}} if "deploy" in more else {"image": "i"}
    assert hashed(**{**base, **more}) == hashed(**base)


def test_the_rest_does() -> None:
    assert hashed(image="i") != hashed(image="j")
    assert hashed(image="i", deploy={"mode": "x"}) != hashed(image="i")


def test_shared_containers_come_in_by_their_ids() -> None:
    one = service("b", network_mode="service:a", volumes_from=("a:ro", "container:z"))
    one = service("b", network_mode="service:a", document={"network_mode": "service:a", "volumes_from": ["a:ro", "container:z"]}, volumes_from=("a:ro", "container:z"))  # fmt: skip
    assert shared_services(one) == ("a",)
    assert resolved_document(one, {"a": "ID"}) == {
        "network_mode": "container:ID",
        "volumes_from": ["ID", "z"],
    }
    assert service_hash(one, {"a": "1"}) != service_hash(one, {"a": "2"})


def test_networks_and_volumes_have_docker_composes_hashes() -> None:
    network = Network("default", "p1_default", document={"name": "p1_default", "ipam": {}})
    assert (
        network_hash(network) == "a269f79b885737ba9d363e096b178f9ff899b76b38ce24bb5ba4aaf48d7a9cab"
    )
    volume = Volume("data", "p1_data", document={"name": "p1_data"})
    assert volume_hash(volume) == "3bc4623c1b89b8c38ed5766bf5190ce58547bf3b97ad78014292f8b328cb786e"


def test_contents_of_files_that_are_not_on_the_host() -> None:
    one = service("a", configs=(FileGrant("c"),), secrets=(FileGrant("s"),))

    def wanted(value: str) -> str:
        sources = {
            "configs": {"c": FileSource("c", "c", file="/f")},
            "secrets": {"s": FileSource("s", "s", environment="S")},
            "environment": {"S": value},
        }
        return contents_hash(project(one, **sources), one)  # type: ignore[arg-type]

    assert wanted("1") != wanted("2")
    assert contents_hash(project(service("a")), service("a")) == ""
