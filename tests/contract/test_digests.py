"""`config --resolve-image-digests` and `--lock-image-digests` beside docker compose, with a real registry.

Both ask our engine, which asks the registry; what the reference prints is right.
"""

from __future__ import annotations

import io
import json
import tarfile
import urllib.request
from typing import TYPE_CHECKING

import docker
import pytest

from tests.contract import reference
from tests.integration.engine.images import docker_registry
from tests.own_engine import running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.peer, pytest.mark.root]
DIGEST = f"sha256:{'a' * 64}"
PROJECTS = {
    "tag": "a: {image: 'REGISTRY/team/app:1', command: x}",
    "no tag": "a: {image: REGISTRY/team/app}",
    "another name of the host": "a: {image: 'localhost:PORT/team/app:1'}",
    "tag and digest": f"a: {{image: 'REGISTRY/team/app:1@{DIGEST}'}}",
    "digests of the Hub": f"a: {{image: 'redis@{DIGEST}'}}\n  b: {{image: 'index.docker.io/library/redis:7@{DIGEST}'}}\n  c: {{image: 'me/x@{DIGEST}'}}",
    "build alone": "a: {build: .}",
    "build and image": "a: {build: ., image: 'REGISTRY/team/app:1'}",
    "not enabled": "a: {image: 'REGISTRY/nope', profiles: [p]}\n  b: {image: 'REGISTRY/team/app:1'}",
    "no such image": "a: {image: 'REGISTRY/nope:1'}",
    "no such registry": "a: {image: '127.0.0.1:1/x'}",
    "upper case": "a: {image: 'REGISTRY/Team/app'}",
    "no name": "a: {image: ':x'}",
    "short digest": "a: {image: 'REGISTRY/team/app@sha256:12'}",
    "an id": f"a: {{image: {'a' * 64}}}",
}
LINES = (
    "config --resolve-image-digests",
    "config --resolve-image-digests --format json a",
    "config --resolve-image-digests --quiet",
    "config --resolve-image-digests --no-interpolate",
    "config --lock-image-digests",
    "config --lock-image-digests --format json",
    "config --lock-image-digests --no-interpolate",
    "config --resolve-image-digests --hash a",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The engine's address, and the port of a registry with one image."""
    assert docker_registry.is_installed(), "`make peers` installs docker-registry"
    folder = tmp_path_factory.mktemp("digests")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("file"))
    with (
        running_engine(folder, "10.101.0.0/16") as engine,
        docker_registry.running(folder / "registry") as registry,
    ):
        client = docker.APIClient(base_url=engine.host)
        try:
            for tag in ("1", "latest"):
                name = f"{registry.host}/team/app"
                client.import_image_from_data(content.getvalue(), repository=name, tag=tag)
                assert "errorDetail" not in client.push(name, tag=tag)
        finally:
            client.close()
        yield engine.host, registry.port


@pytest.mark.parametrize("project", PROJECTS)
def test_what_docker_compose_says(project: str, place: tuple[str, int], tmp_path: Path) -> None:
    host, port = place
    services = PROJECTS[project].replace("REGISTRY", f"127.0.0.1:{port}").replace("PORT", str(port))
    (tmp_path / "compose.yaml").write_text(f"name: p\nservices:\n  {services}\n")
    for line in LINES:
        asked = f"DOCKER_HOST={host} PYCOMPOSE_HOST={host} {line}"
        right = reference.theirs(tmp_path, asked)
        reference.assert_equal(line, reference.ours(tmp_path, asked), right)
        if project == "tag" and "hash" not in line and "quiet" not in line:
            assert f"127.0.0.1:{port}/team/app:1@sha256:" in right.out


def test_all_that_fail_are_told(place: tuple[str, int], tmp_path: Path) -> None:
    host, port = place
    (tmp_path / "compose.yaml").write_text(
        f"services:\n  a: {{image: '127.0.0.1:{port}/nope'}}\n  b: {{image: X}}\n"
    )
    found = reference.ours(tmp_path, f"PYCOMPOSE_HOST={host} config --resolve-image-digests")
    assert found.code == 1
    first, second = sorted(found.err.splitlines())
    assert first.startswith(
        f"services.a.image: failed to resolve digest for 127.0.0.1:{port}/nope:latest: nope: "
    )
    assert second.startswith("services.b.image: invalid reference format 'X'")


def test_publish_pins_in_a_file_of_its_own(place: tuple[str, int], tmp_path: Path) -> None:
    host, port = place
    image = f"127.0.0.1:{port}/team/app:1"
    (tmp_path / "compose.yaml").write_text(f"services: {{a: {{image: '{image}'}}}}\n")
    done = reference.ours(
        tmp_path,
        f"PYCOMPOSE_HOST={host} publish -y --resolve-image-digests 127.0.0.1:{port}/pinned:1",
    )
    assert done.code == 0, done

    def fetched(kind: str, name: str) -> bytes:
        url = f"http://127.0.0.1:{port}/v2/pinned/{kind}/{name}"
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=accept)) as answer:
            return bytes(answer.read())

    first, second = json.loads(fetched("manifests", "1"))["layers"]
    assert first["annotations"]["com.docker.compose.file"] == "compose.yaml"
    assert second["annotations"]["com.docker.compose.file"] == "image-digests.yaml"
    text = fetched("blobs", second["digest"]).decode()
    assert text.startswith(f"services:\n  a:\n    image: {image}@sha256:")
