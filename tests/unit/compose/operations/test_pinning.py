"""Names of images in full, and images by their digests."""

from __future__ import annotations

import pytest

from compose.errors import EngineRefusedError, ProjectError
from compose.operations.pinning import full_name, pinned

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("redis:7", "docker.io/library/redis:7"),
        ("me/app", "docker.io/me/app:latest"),
        ("docker.io/redis", "docker.io/library/redis:latest"),
        ("index.docker.io/me/app:1", "docker.io/me/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("host:5000/a/b__c/d-e.f", "host:5000/a/b__c/d-e.f:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
        ("Host/app", "Host/app:latest"),
        (f"redis:7@{DIGEST}", f"docker.io/library/redis@{DIGEST}"),
        (f"ghcr.io/a/b@{DIGEST}", f"ghcr.io/a/b@{DIGEST}"),
    ],
)
def test_full_names(image: str, full: str) -> None:
    assert full_name(image) == full


@pytest.mark.parametrize(
    "image",
    ["", ":x", "a:b:c", "Redis", "host.org/Redis", "a//b", "a/", "a:", "a:-x", "a@", "a@sha256:12", f"a@{DIGEST}@{DIGEST}", f"a@md5:{'0' * 64}",
     f"a@{DIGEST.upper()}", "f" * 64, "a b", "ä", "a" * 256, f"a:{'t' * 129}", "a-/b"],
)  # fmt: skip
def test_what_is_no_name(image: str) -> None:
    with pytest.raises(ValueError, match="reference format|invalid digest|image's id"):
        full_name(image)


def test_each_name_is_asked_for_once_and_the_rest_stays() -> None:
    asked: list[list[str]] = []

    def resolve(names: list[str]) -> dict[str, str | EngineRefusedError]:
        asked.append(names)
        return dict.fromkeys(names, DIGEST)

    services = {
        "a": {"image": "redis", "tty": True}, "b": {"image": "redis"}, "c": {"build": {"context": "."}},
        "d": {"image": f"x@{DIGEST}"},
    }  # fmt: skip
    assert pinned(services, resolve) == {
        "a": {"image": f"docker.io/library/redis:latest@{DIGEST}", "tty": True},
        "b": {"image": f"docker.io/library/redis:latest@{DIGEST}"},
        "c": {"build": {"context": "."}},
        "d": {"image": f"docker.io/library/x@{DIGEST}"},
    }
    assert asked == [["docker.io/library/redis:latest"]]
    assert services["b"] == {"image": "redis"}
    pinned({"c": services["c"], "d": services["d"]}, resolve)
    assert len(asked) == 1  # nobody is asked for nothing


def test_every_failure_is_a_line() -> None:
    def resolve(names: list[str]) -> dict[str, str | EngineRefusedError]:
        return dict.fromkeys(names, EngineRefusedError("no such thing", status=404))

    with pytest.raises(ProjectError) as refused:
        pinned({"a": {"image": "X"}, "b": {"image": "x"}, "c": {"image": "y:1"}}, resolve)
    assert [line.split(": ")[0] for line in refused.value.lines] == [
        "services.a.image",
        "services.b.image",
        "services.c.image",
    ]
