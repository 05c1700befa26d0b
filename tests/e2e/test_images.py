"""A project's images: a registry that is away, digests that are locked, pulls that are interrupted."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trio

from tests.e2e.conftest import COMMAND, HOUSE, Person
from tests.fakes.registry import CONFIG, MANIFEST, Hang, Registry, Status, running_registry, tar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.root
BUSYBOX = "/bin/busybox"


class Shop:
    """A misbehaving registry in a thread of its own, for tests that run programs."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.registry = Registry()
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._thread = threading.Thread(target=trio.run, args=(self._main,))
        self._thread.start()
        self.ready.wait(10)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            async with running_registry() as registry:
                self.registry = registry
                self.ready.set()
                await trio.sleep_forever()

    def wait_stalled(self) -> None:
        """Until a Hang has begun."""
        deadline = time.monotonic() + 20
        while not self.registry.stalled.is_set():
            assert time.monotonic() < deadline
            time.sleep(0.02)  # the registry's thread has no event of ours

    def close(self) -> None:
        """It answers no more. Idempotent."""
        if self._thread.is_alive():
            assert self._token is not None
            self._token.run_sync_soon(self._scope.cancel)
            self._thread.join()


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.close()


def busybox_layer(mark: bytes = b"1") -> bytes:
    """A root file system whose one program is busybox."""
    with open(BUSYBOX, "rb") as program:
        return tar({"bin/busybox": program.read(), "mark": mark})


def project(folder: Path, image: str, policy: str = "always") -> Path:
    """A project of one service that sleeps."""
    service = {
        "image": image, "pull_policy": policy, "init": True,
        "entrypoint": ["/bin/busybox", "sleep", "1000"],
    }  # fmt: skip
    (folder / "compose.yaml").write_text(
        json.dumps({"name": folder.name.replace("_", "-"), "services": {"web": service}})
    )
    return folder


def executable(raw: bytes) -> bytes:
    """The same tar, its files for everybody to run."""
    import io
    import tarfile

    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(raw)) as source,
        tarfile.open(fileobj=out, mode="w") as target,
    ):
        for entry in source:
            entry.mode = 0o755
            target.addfile(entry, source.extractfile(entry))
    return out.getvalue()


def test_up_goes_on_with_what_is_here(person: Person, shop: Shop, tmp_path: Path) -> None:
    registry = shop.registry
    registry.add_image("app", "1", [executable(busybox_layer())])
    folder = project(tmp_path, f"{registry.host}/app:1")
    person.does("up", "-d", cwd=folder)
    try:
        registry.manifests.clear()
        path = "/v2/app/manifests/1"
        registry.faults[path] = [Status(429, {"Retry-After": "900"})]
        limited = person.pycompose("up", "-d", cwd=folder)
        assert limited.returncode == 0, limited.stderr
        assert "Warning the copy of" in limited.stderr
        assert "toomanyrequests" in limited.stderr
        shop.close()
        away = person.pycompose("up", "-d", cwd=folder)
        assert away.returncode == 0, away.stderr
        assert "cannot reach the registry" in away.stderr
        pulled = person.pycompose("pull", cwd=folder)
        assert pulled.returncode == 1
    finally:
        person.does("down", "-t", "0", cwd=folder)


def test_up_without_a_copy_ends_where_the_registry_refuses(
    person: Person, shop: Shop, tmp_path: Path
) -> None:
    registry = shop.registry
    registry.faults["/v2/app/manifests/1"] = [Status(429, {"Retry-After": "900"})]
    limited = person.pycompose("up", "-d", cwd=project(tmp_path, f"{registry.host}/app:1"))
    assert limited.returncode == 1
    assert "toomanyrequests" in limited.stderr.splitlines()[-1]
    assert person.does("ps", "-aq", cwd=tmp_path) == ""


def test_what_is_locked_is_what_runs(person: Person, shop: Shop, tmp_path: Path) -> None:
    registry = shop.registry
    first, _ = registry.add_image("app", "1", [executable(busybox_layer(b"first"))])
    name = f"{registry.host}/app:1"
    folder = project(tmp_path, name, "missing")
    assert person.pycompose("up", "-d", "--locked", cwd=folder).returncode == 1
    person.does("lock", cwd=folder)
    locked = json.loads((folder / "compose.lock.json").read_text())
    assert locked["images"] == {name: {"digest": first}}
    registry.add_image("app", "1", [executable(busybox_layer(b"second"))])
    person.does("image", "pull", "-q", name)
    try:
        person.does("up", "-d", "--locked", cwd=folder)
        said = person.does("exec", "-T", "web", "/bin/busybox", "cat", "/mark", cwd=folder)
        assert said == "first"
        person.does("lock", "--check", cwd=folder)
        person.does("lock", "--update", cwd=folder)
        assert person.pycompose("lock", "--check", cwd=folder).returncode == 1
        refused = person.pycompose("up", "-d", "--locked", "--build", cwd=folder)
        assert refused.returncode == 1
        (folder / "compose.lock.json").write_text('{"version": 1, "images": {}}')
        missing = person.pycompose("up", "-d", "--locked", cwd=folder)
        assert missing.returncode == 1
        assert f"{name} is not in compose.lock.json" in missing.stderr
    finally:
        person.does("down", "-t", "0", cwd=folder)


def test_a_pull_that_is_interrupted_goes_on_later(person: Person, shop: Shop) -> None:
    registry = shop.registry
    big = os.urandom(3 << 20)
    _, (layer,) = registry.add_image("big", "1", [tar({"big": big})])
    path = registry.blob_path("big", layer)
    registry.faults[path] = [Hang(2 << 20)]
    name = f"{registry.host}/big:1"
    process = subprocess.Popen(
        [*COMMAND, "image", "pull", name], cwd=HOUSE, env=person.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    partial = person.run_dir.parent / "root/blobs/partial" / layer.replace(":", "-")
    deadline = time.monotonic() + 20
    while not partial.exists() or partial.stat().st_size < 2 << 20:
        assert time.monotonic() < deadline
        time.sleep(0.02)  # the engine writes: nothing tells when
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert name not in person.does("image", "ls")
    person.does("image", "pull", "-q", name)
    assert [one[2] for one in registry.requests(path)] == ["", f"bytes={2 << 20}-"]


@pytest.mark.parametrize("when", ["pull", "upload"])
def test_ctrl_c_ends_a_build_that_waits(
    person: Person, shop: Shop, tmp_path: Path, when: str
) -> None:
    registry, root = shop.registry, person.run_dir.parent / "root"
    _, (layer,) = registry.add_image("base", "1", [tar({"big": os.urandom(3 << 20)})])
    registry.faults[registry.blob_path("base", layer)] = [Hang(2 << 20)]
    (tmp_path / "Dockerfile").write_text(f"FROM {registry.host}/base:1\n")
    build = {"context": "." if when == "pull" else "-"}  # nothing comes on standard input
    document = {"name": "waits", "services": {"web": {"build": build}}}
    (tmp_path / "compose.yaml").write_text(json.dumps(document))
    process = subprocess.Popen(
        [*COMMAND, "--project-directory", str(tmp_path), "build"], cwd=HOUSE, env=person.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if when == "pull":
        shop.wait_stalled()
    else:
        time.sleep(2)  # that somebody reads and nothing comes is told by nothing
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert process.stdin
    assert process.stdout
    assert "Traceback" not in process.stdout.read()
    process.stdin.close()
    process.stdout.close()
    deadline = time.monotonic() + 10
    while left := list((root / "tmp").iterdir()):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)  # the engine clears away after it has answered


def test_an_engine_killed_while_it_unpacks_starts_clean(person: Person, shop: Shop) -> None:
    registry = shop.registry
    content = {f"d{n // 100}/f{n}": b"x" for n in range(30_000)}  # seconds of unpacking
    _, (layer,) = registry.add_image("many", "1", [tar(content)])
    name, root = f"{registry.host}/many:1", person.run_dir.parent / "root"
    before = sorted(path.name for path in (root / "layers").iterdir())
    process = subprocess.Popen(
        [*COMMAND, "image", "pull", name], cwd=HOUSE, env=person.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while not any((root / "tmp").glob("layer-*/d1")):
        assert time.monotonic() < deadline
        time.sleep(0.005)  # the engine unpacks: nothing tells when
    os.kill(int((person.run_dir / "engine.lock").read_text().split()[0]), signal.SIGKILL)
    _, said = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in said
    (half,) = (root / "tmp").glob("layer-*")
    assert len(list(half.iterdir())) < 300
    person.does("engine", "serve", "--detach")
    assert list((root / "tmp").iterdir()) == []
    assert sorted(path.name for path in (root / "layers").iterdir()) == before
    assert name not in person.does("image", "ls")
    person.does("image", "pull", "-q", name)
    assert len(registry.requests(registry.blob_path("many", layer))) == 1  # the blob was here
    (made,) = {path.name for path in (root / "layers").iterdir()} - set(before)
    assert sum(1 for path in (root / "layers" / made).rglob("f*")) == len(content)


def test_an_image_tells_its_packages(person: Person, busybox: str, tmp_path: Path) -> None:
    layer = tar(
        {
            "var/lib/dpkg/status": b"Package: a\nStatus: install ok installed\nVersion: 1\n",
            "etc/os-release": b"ID=debian\nVERSION_ID=12\n",
        }
    )
    archive = tmp_path / "root.tar"
    archive.write_bytes(layer)
    person.does("image", "import", str(archive), "tests/packages:1")
    first = person.does("image", "sbom", "tests/packages:1")
    document = json.loads(first)
    urls = [
        ref["referenceLocator"]
        for one in document["packages"]
        for ref in one.get("externalRefs", [])
    ]
    assert urls == ["pkg:deb/debian/a@1?distro=debian-12"]
    assert person.does("image", "sbom", "tests/packages:1") == first
    assert person.does("ps", "-a", "-q", cwd=project(tmp_path, busybox)) == ""


def test_the_own_platform_is_taken_and_another_refused(person: Person, busybox: str) -> None:
    own = json.loads(person.does("image", "inspect", busybox))[0]["Architecture"]
    for command in ("inspect", "history", "save"):
        person.does("image", command, "--platform", f"linux/{own}", *(["-o", "/dev/null"] if command == "save" else []), busybox)  # fmt: skip
        refused = person.pycompose("image", command, "--platform", "linux/s390x", busybox)
        assert refused.returncode == 1
        assert "does not provide the specified platform (linux/s390x)" in refused.stderr
    person.does("image", "tag", busybox, "platform:1")
    assert (
        person.pycompose("image", "rm", "--platform", "linux/s390x", "platform:1").returncode == 1
    )
    assert "platform" in person.does("image", "ls")
    person.does("image", "rm", "--platform", f"linux/{own}", "platform:1")
    pushed = person.pycompose("image", "push", "--platform", "linux/s390x", busybox)
    assert "does not provide the specified platform" in pushed.stderr


def test_a_signed_image_is_told_from_others(person: Person, shop: Shop, tmp_path: Path) -> None:
    registry = shop.registry
    top, _ = registry.add_image("app", "1", [tar({"a": b"1"})])
    name = f"{registry.host}/app:1"
    for key in ("mine", "other"):
        make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]
        subprocess.run(make, cwd=tmp_path, check=True)
        show = ["openssl", "ec", "-in", key, "-pubout", "-out", f"{key}.pub"]
        subprocess.run(show, cwd=tmp_path, check=True, capture_output=True)
    verify = ["image", "verify", "--key", str(tmp_path / "mine.pub"), name]
    unsigned = person.pycompose(*verify)
    assert unsigned.returncode == 1
    assert "is not signed" in unsigned.stderr
    payload = json.dumps({"critical": {"image": {"docker-manifest-digest": top}}}).encode()
    sign = ["openssl", "dgst", "-sha256", "-sign", "mine"]
    raw = subprocess.run(sign, cwd=tmp_path, input=payload, check=True, capture_output=True).stdout
    note = {"dev.cosignproject.cosign/signature": base64.b64encode(raw).decode()}
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    layer = {"mediaType": kind, "size": len(payload), "digest": registry.add_blob(payload)}
    config = {"mediaType": CONFIG, "size": 2, "digest": registry.add_blob(b"{}")}
    document = {"schemaVersion": 2, "config": config, "layers": [{**layer, "annotations": note}]}
    registry.add_manifest("app", f"{top.replace(':', '-')}.sig", MANIFEST, document)
    assert f"{top} is signed" in person.does(*verify)
    person.does("image", "pull", "-q", name)
    assert f"{top} is signed" in person.does(*verify)
    other = person.pycompose("image", "verify", "--key", str(tmp_path / "other.pub"), name)
    assert other.returncode == 1
    assert "its signatures are others'" in other.stderr
