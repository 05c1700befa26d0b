"""Save and load through the API: images come back as they went, and what is broken is refused."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import docker
import pytest
import zstandard

from tests.bench.sides import import_image
from tests.own_engine import OwnEngine, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

#: docker-py leaves the connection to the collector when it raises what a stream says.
leaves = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
pytestmark = [pytest.mark.root, leaves]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    with running_engine(tmp_path_factory.mktemp("images"), "10.105.64.0/18") as own:
        import_image(own.host)
        yield own


@pytest.fixture(scope="module")
def client(engine: OwnEngine) -> Iterator[docker.DockerClient]:
    connected = docker.DockerClient(base_url=engine.host, timeout=30)
    yield connected
    connected.close()


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return out.getvalue()


def members(raw: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return {
            entry.name: archive.extractfile(entry).read()  # type: ignore[union-attr]
            for entry in archive
            if entry.isfile()
        }


def saved(client: docker.DockerClient, name: str) -> bytes:
    return b"".join(client.images.get(name).save(named=name))


def config_of(*layers: bytes, **more: Any) -> bytes:
    document = {
        "architecture": "amd64", "os": "linux", "config": {}, **more,
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
    }  # fmt: skip
    return json.dumps(document).encode()


def docker_tar(layers: dict[str, bytes], config: bytes, names: list[str], **links: str) -> bytes:
    """An archive as docker saved them before 25: a folder a layer."""
    manifest = [{"Config": "c.json", "RepoTags": names, "Layers": [*layers, *links]}]
    return tar({**layers, "c.json": config, "manifest.json": json.dumps(manifest).encode()}, links)


def test_what_is_saved_and_loaded_is_the_same_image(client: docker.DockerClient) -> None:
    before = client.images.get("busybox:bench").attrs
    raw = saved(client, "busybox:bench")
    client.images.remove("busybox:bench")
    (loaded,) = client.images.load(raw)
    assert loaded.id == before["Id"]
    assert loaded.tags == ["busybox:bench"]
    again = saved(client, "busybox:bench")
    assert again == raw


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd"])
def test_compressed_archives_are_loaded(client: docker.DockerClient, how: str) -> None:
    raw = saved(client, "busybox:bench")
    packed = {
        "plain": lambda: raw,
        "gzip": lambda: gzip.compress(raw, 1),
        "zstd": lambda: zstandard.ZstdCompressor().compress(raw),
    }[how]()
    (loaded,) = client.images.load(packed)
    assert loaded.tags == ["busybox:bench"]


def test_a_saved_image_is_an_oci_layout_too(client: docker.DockerClient) -> None:
    found = members(saved(client, "busybox:bench"))
    index = json.loads(found["index.json"])
    (entry,) = index["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "busybox:bench"
    for name, content in found.items():
        if name.startswith("blobs/sha256/"):
            assert digest(content) == f"sha256:{name.rpartition('/')[2]}"
    without = {name: one for name, one in found.items() if name != "manifest.json"}
    (loaded,) = client.images.load(tar(without))
    assert loaded.tags == ["busybox:bench"]


def test_several_images_share_their_layers(client: docker.DockerClient) -> None:
    client.images.get("busybox:bench").tag("busybox", "other")
    wanted = {"names": ["busybox:bench", "busybox:other"]}
    raw = client.api._get(client.api._url("/images/get"), params=wanted).content
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        names = archive.getnames()
    assert len(names) == len(set(names))
    manifest = json.loads(members(raw)["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["busybox:bench", "busybox:other"]]
    client.images.remove("busybox:other")


def test_archives_of_older_dockers_are_loaded(client: docker.DockerClient) -> None:
    one, two = tar({"one": b"1"}), tar({"two": b"2"})
    raw = docker_tar(
        {"aa/layer.tar": one, "bb/layer.tar": two}, config_of(one, two, one), ["old/style:1"],
        **{"cc/layer.tar": "../aa/layer.tar"},
    )  # fmt: skip
    (loaded,) = client.images.load(raw)
    assert loaded.tags == ["old/style:1"]
    assert len(loaded.attrs["RootFS"]["Layers"]) == 3
    # What came as it is goes as it came: the layers' bytes are the same.
    found = members(saved(client, "old/style:1"))
    assert {one, two} <= set(found.values())
    client.images.remove("old/style:1")


def test_a_compressed_layer_and_no_name(client: docker.DockerClient) -> None:
    layer = tar({"one": b"11"})
    raw = docker_tar({"l": gzip.compress(layer)}, config_of(layer), [])
    (loaded,) = client.images.load(raw)
    assert loaded.tags == []
    client.images.remove(loaded.id)


def refusal(client: docker.DockerClient, raw: bytes) -> str:
    before = [image.id for image in client.images.list(all=True)]
    try:
        # Read to its end: docker-py's own images.load leaves the answer open where it tells of an error.
        told = list(client.api.load_image(raw))
    except docker.errors.DockerException as error:
        message = str(error)
    else:
        (message,) = [line["error"] for line in told if "error" in line]
    assert [image.id for image in client.images.list(all=True)] == before
    return message


LAYER = tar({"one": b"1"})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"this is no tar at all" * 100, "no sound tar"),
        (tar({"a": b"x" * 5000})[:3000], "no sound tar"),
        (gzip.compress(tar({"a": b"x" * 5000}))[:-20], "compression is broken"),
        (tar({"a": b"1"}), "neither manifest.json nor index.json"),
        (tar({"repositories": b"{}"}), "docker before 1.10"),
        (tar({"manifest.json": b"{nonsense"}), "no JSON"),
        (tar({"manifest.json": b'{"Layers": 5}'}), "not Docker's"),
        (docker_tar({"l": LAYER}, config_of(), ["a:1"]), "disagree"),
        (docker_tar({"l": LAYER}, config_of(tar({"b": b""})), ["a:1"]), "the config promised"),
        (docker_tar({}, config_of(LAYER), ["a:1"], l="nowhere"), "lacks"),
        (docker_tar({"l": LAYER[:700]}, config_of(LAYER[:700]), ["a:1"]), "no sound tar"),
        (docker_tar({}, b"[]", ["a:1"]), "names no layers"),
        (tar({"manifest.json": b"[" * 100_000}), "no JSON"),
    ],
)
def test_what_is_broken_is_refused(client: docker.DockerClient, raw: bytes, words: str) -> None:
    assert words in refusal(client, raw)


def test_a_blob_that_is_not_what_its_name_says_is_refused(client: docker.DockerClient) -> None:
    found = members(saved(client, "busybox:bench"))
    name = next(name for name in found if name.startswith("blobs/") and len(found[name]) > 10_000)
    found[name] = found[name][:-1] + b"!"
    assert "is something else" in refusal(client, tar(found))


def test_an_import_is_the_same_for_the_same_files(client: docker.DockerClient) -> None:
    first = tar({"b": b"2", "a": b"1"})
    client.api.import_image_from_data(first, repository="made/first")
    client.api.import_image_from_data(gzip.compress(first), repository="made/second")
    layers = [client.images.get(f"made/{one}").attrs["RootFS"] for one in ("first", "second")]
    assert layers[0] == layers[1]
    for one in ("first", "second"):
        client.images.remove(f"made/{one}")


def test_what_clients_see_of_an_image(client: docker.DockerClient) -> None:
    assert client.images.list(filters={"reference": "busybox"})
    assert client.images.list(filters={"reference": "busy*:b*"})
    assert not client.images.list(filters={"reference": "busy*z"})
    assert not client.images.list(filters={"dangling": True})
    with pytest.raises(docker.errors.APIError, match="invalid filter 'colour'"):
        client.images.list(filters={"colour": "red"})
    image = client.images.get("busybox:bench")
    assert not image.attrs["Metadata"]["LastTagTime"].startswith("0001")
    assert image.history()[0]["Tags"] == ["busybox:bench"]
    usage = client.df()
    assert usage["LayersSize"] >= image.attrs["Size"]
    (shown,) = [one for one in usage["Images"] if one["Id"] == image.id]
    assert (shown["Containers"], shown["SharedSize"]) == (0, 0)


def test_prune_keeps_what_is_in_use(client: docker.DockerClient) -> None:
    container = client.containers.create("busybox:bench", "true")
    client.api.import_image_from_data(tar({"a": b"9"}), repository="made/unused")
    try:
        done = client.images.prune(filters={"dangling": False})
        assert {"Untagged": "made/unused:latest"} in done["ImagesDeleted"]
        assert done["SpaceReclaimed"] > 0
        assert client.images.get("busybox:bench")
    finally:
        container.remove()


def test_an_engine_killed_while_it_loads_starts_clean(engine: OwnEngine) -> None:
    import signal
    import socket
    import time

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(engine.host.removeprefix("unix://"))
        connection.sendall(
            b"POST /images/load HTTP/1.1\r\nHost: e\r\nContent-Length: 99999999\r\n\r\n"
            + tar({"a": os.urandom(1 << 20)})[: 1 << 20]
        )
        deadline = time.monotonic() + 10
        scratch = engine.folder / "root" / "tmp"
        while not list(scratch.glob("load-*/*")):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # another process writes: nothing tells when
        pidfd = os.pidfd_open(engine.pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
    (engine.folder / "root" / "layers" / "orphan").mkdir()
    started = engine.command("serve", "--detach")
    assert started.returncode == 0, started.stderr
    assert list(scratch.iterdir()) == []
    assert not (engine.folder / "root" / "layers" / "orphan").exists()
    again = docker.DockerClient(base_url=engine.host, timeout=30)
    try:
        assert again.images.get("busybox:bench")
    finally:
        again.close()
