"""What `publish` puts into a registry, docker compose reads back with `-f oci://`."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from compose.operations.application import INDEX
from compose.operations.registry_push import MANIFEST, Blob, digest_of, door_to
from tests.integration.engine.images import docker_registry
from tests.own_engine import HOUSE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.peer
FILES = {
    "compose.yaml": """
name: published
include: [more.yaml]
services:
  web:
    image: "busybox:${TAG:-1}"
    environment: {A: "1"}
    env_file: [./x.env]
    volumes: ["./data:/data"]
  api: {extends: {file: base.yaml, service: base}, image: "x:1"}
""",
    "base.yaml": "services: {base: {image: y, command: [sh]}}",
    "more.yaml": "services: {more: {image: z}}",
    "x.env": "B=2\n",
}


def run(program: list[str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SSL_CERT_FILE": str(folder / "registry" / "tls.crt"), "PYTHONPATH": str(HOUSE), "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")},
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def published(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "compose"], folder, "publish", *words)


@pytest.mark.parametrize("flags", [[], ["--oci-version", "1.0"]])
def test_docker_compose_reads_it(flags: list[str], tmp_path: Path) -> None:
    assert docker_registry.is_installed(), "`make peers` installs docker-registry"
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    with docker_registry.running(tmp_path / "registry", tls=True) as registry:
        reference = f"{registry.host}/team/app:1"
        refused = published(tmp_path, "-y", *flags, reference)
        assert refused.returncode == 1
        assert "--with-env" in refused.stderr
        asked = published(tmp_path, "--with-env", *flags, reference)
        assert (asked.returncode, asked.stderr.count("\n")) == (1, 1), asked.stderr
        done = published(tmp_path, "--with-env", "-y", *flags, reference)
        assert done.returncode == 0, done.stderr
        theirs = next(
            (HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose")
        )
        read = run(
            [str(theirs)],
            tmp_path,
            "-f",
            f"oci://{reference}",
            "config",
            "--format",
            "json",
        )
        assert read.returncode == 0, read.stderr
        services: dict[str, Any] = json.loads(read.stdout)["services"]
        assert set(services) == {"web", "api", "more"}
        assert services["web"]["image"] == "busybox:1"
        assert services["web"]["environment"] == {"A": "1", "B": "2"}
        assert services["api"]["command"] == ["sh"]


def test_a_registry_of_this_machine_may_do_without_tls(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x}}")
    with docker_registry.running(tmp_path / "plain") as registry:
        done = published(tmp_path, f"{registry.host}/app:1")
        assert done.returncode == 0, done.stderr
        gone = published(tmp_path, "127.0.0.1:9/app:1")
        assert (gone.returncode, gone.stderr.count("\n")) == (1, 2), gone.stderr


def put_image(reference: str, environment: dict[str, str]) -> str:
    """An index of one image of two parts, put into a registry; the index's digest."""
    config = Blob(
        "application/vnd.oci.image.config.v1+json", b'{"architecture":"amd64","os":"linux"}', {}
    )
    layer = Blob("application/vnd.oci.image.layer.v1.tar", os.urandom(300_000), {})
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": [layer.descriptor()],
    }).encode()  # fmt: skip
    one = {"mediaType": MANIFEST, "digest": digest_of(manifest), "size": len(manifest)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [one]}).encode()
    with door_to(reference, environment, "pull,push") as door:
        door.push_blob(config)
        door.push_blob(layer)
        door.push_manifest(digest_of(manifest), manifest, MANIFEST)
        door.push_manifest(door.tag, index, INDEX)
    return digest_of(index)


def test_an_application_takes_its_images_along(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    docker_registry.htpasswd(tmp_path / "far")
    auth = {"htpasswd": {"realm": "far", "path": str(tmp_path / "far/htpasswd")}}
    with (
        docker_registry.running(tmp_path / "near") as near,
        docker_registry.running(tmp_path / "far", auth=auth) as far,
    ):
        environment = {"HOME": str(tmp_path)}
        known = [put_image(f"{near.host}/{name}:1", environment) for name in ("web", "team/db")]
        (tmp_path / "compose.yaml").write_text(
            f"services: {{web: {{image: '{near.host}/web:1'}}, db: {{image: '{near.host}/team/db:1', profiles: [x]}}}}"
        )
        pair = base64.b64encode(f"{docker_registry.USER}:{docker_registry.PASSWORD}".encode())
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker/config.json").write_text(
            json.dumps({"auths": {far.host: {"auth": pair.decode()}}})
        )
        for registry in (near, far):
            done = published(tmp_path, "--app", f"{registry.host}/apps/shop:1")
            assert done.returncode == 0, done.stderr
            with door_to(f"{registry.host}/apps/shop:1", environment, "pull") as door:
                kept = (
                    registry.folder
                    / "data/docker/registry/v2/repositories/apps/shop/_manifests/revisions/sha256"
                )
                documents = [
                    json.loads(door.get(f"manifests/sha256:{one.name}", 1 << 20, accept=f"{INDEX}, {MANIFEST}"))
                    for one in kept.iterdir()
                ]  # fmt: skip
                (app,) = (one for one in documents if "subject" in one)
                assert {one["digest"] for one in app["manifests"]} == set(known)
                assert app["artifactType"] == app_kind(documents, app["subject"]["digest"])
                layers = [one["layers"][0] for one in documents if "layers" in one]
                for layer in layers:
                    assert (
                        digest_of(door.get(f"blobs/{layer['digest']}", 1 << 20)) == layer["digest"]
                    )


def app_kind(documents: list[Any], digest: str) -> str:
    """The kind of the artifact that has a digest among canonical documents."""
    found = {digest_of(json.dumps(one, separators=(",", ":")).encode()): one for one in documents}
    return str(found[digest]["artifactType"])


def test_a_service_without_an_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {build: .}}")
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    done = published(tmp_path, "-y", "localhost:1/x")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "has no image" in done.stderr
