"""Containers as the engine describes them -> the Compose file that makes them again."""

from __future__ import annotations

from typing import Any

from compose.operations.generating import document_of

PREFIX = "com.docker.compose."
IMAGE = {"Config": {"Cmd": ["sh"], "Env": ["PATH=/bin"], "Labels": {"from": "image"}}}


def container(name: str, **host: Any) -> dict[str, Any]:
    return {
        "Id": name, "Name": f"/{name}", "Image": "sha256:1",
        "Config": {
            "Image": "busybox", "Cmd": ["sh"], "Env": ["PATH=/bin", "A=1"],
            "Labels": {"from": "image", "own": "1"},
        },
        "HostConfig": {"NetworkMode": "n", **host},
        "NetworkSettings": {"Networks": {"n": {"Aliases": ["x"], "IPAMConfig": {"IPv4Address": "10.0.0.2"}}}},
        "Mounts": [],
    }  # fmt: skip


def test_only_what_was_decided_for_the_container_is_written() -> None:
    one = container(
        "a", PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, NanoCpus=5 * 10**8,
        RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 3}, Privileged=False, CapAdd=["CAP_X"],
    )  # fmt: skip
    one["Mounts"] = [
        {"Type": "volume", "Name": "data", "Source": "/x", "Destination": "/d", "RW": True},
        {
            "Type": "volume",
            "Name": "f" * 64,
            "Source": "/y",
            "Destination": "/anonymous",
            "RW": True,
        },
        {"Type": "bind", "Source": "/etc", "Destination": "/e", "RW": False},
    ]
    document = document_of([one], {"sha256:1": IMAGE}, {"n": {}}, "p")
    assert document == {
        "name": "p",
        "services": {
            "a": {
                "image": "busybox", "container_name": "a", "environment": ["A=1"], "labels": {"own": "1"},
                "restart": "on-failure:3", "cpus": 0.5, "cap_add": ["CAP_X"],
                "ports": [{"target": 80, "published": "8080", "protocol": "tcp"}],
                "volumes": [
                    {"type": "volume", "source": "data", "target": "/d"},
                    {"type": "volume", "target": "/anonymous"},
                    {"type": "bind", "source": "/etc", "target": "/e", "read_only": True},
                ],
                "networks": {"n": {"aliases": ["x"], "ipv4_address": "10.0.0.2"}},
            }
        },
        "networks": {"n": {"name": "n", "external": True}},
        "volumes": {"data": {"name": "data", "external": True}},
    }  # fmt: skip


def test_replicas_are_one_service() -> None:
    both = [container("p-web-1"), container("p-web-2")]
    for one in both:
        one["Config"]["Labels"] = {PREFIX + "service": "web"}
    services = document_of(both, {}, {}, "p")["services"]
    assert list(services) == ["web"]
    assert services["web"]["scale"] == 2


def test_modes_are_no_networks() -> None:
    host = document_of([container("a", NetworkMode="host")], {}, {}, "p")
    assert host["services"]["a"]["network_mode"] == "host"
    assert "networks" not in host
