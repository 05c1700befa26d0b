"""Pulls from a registry that misbehaves: what arrives is right or is refused, and nothing is lost."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from engine.errors import EngineError, HostLimitError, NotFoundError, NotSupportedError
from engine.images.registry.answers import RegistryError
from engine.images.registry.auth import Credentials
from engine.images.registry.settings import RegistrySettings
from tests.fakes.registry import (
    INDEX,
    MANIFEST,
    Cut,
    Hang,
    Status,
    Swap,
    digest,
    running_registry,
    tar,
)
from tests.integration.engine.images.conftest import Store

pytestmark = pytest.mark.root
#: A body that is given up: httpx leaves its generators to the collector, which trio complains of.
abandons = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
BIG = os.urandom(3 << 20)  # does not compress: a cut is in the middle of it


async def test_an_image_is_pulled_and_pulled_again(store: Store) -> None:
    async with running_registry() as registry:
        layers = [tar({"etc/a": b"1"}), tar({"etc/b": b"2"})]
        top, digests = registry.add_image("team/app", "1", layers)
        image = await store.pull(f"{registry.host}/team/app:1")
        assert [store.content(image, "etc/a"), store.content(image, "etc/b")] == [b"1", b"2"]
        assert image.document["config"] == {"Cmd": ["sh"]}
        assert store.images.find(f"{registry.host}/team/app@{top}").id == image.id
        assert store.words(digests[0])[0] == "Pulling fs layer"
        assert store.words(digests[0])[-1] == "Pull complete"
        assert f"Digest: {top}" in store.words()
        asked = len(registry.asked)
        again = await store.pull(f"{registry.host}/team/app:1")
        assert again.id == image.id
        assert "Status: Image is up to date for" in store.words()[-1]
        # A HEAD tells that it is the same: no manifest is fetched, so no pull is counted.
        new = [method for method, path, _ in registry.asked[asked:] if "/manifests/" in path]
        assert new == ["HEAD"]
    assert store.leftovers() == []


async def test_the_name_moves_to_the_new_image(store: Store) -> None:
    async with running_registry() as registry:
        registry.add_image("app", "1", [tar({"a": b"old"})])
        old = await store.pull(f"{registry.host}/app:1")
        registry.add_image("app", "1", [tar({"a": b"new"})])
        new = await store.pull(f"{registry.host}/app:1")
        assert store.content(new, "a") == b"new"
        found = store.images.find(old.id)
        assert (found.references, len(found.digests)) == ((), 1)


async def test_a_cut_connection_is_resumed_where_it_was(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"big": BIG})])
        path = registry.blob_path("app", layer)
        registry.faults[path] = [Cut(1 << 20), Cut(1 << 20)]
        image = await store.pull(f"{registry.host}/app:1")
        assert store.content(image, "big") == BIG
        asked = [one[2] for one in registry.requests(path)]
        assert asked[0] == ""
        assert asked[1] == "bytes=1048576-"
        assert asked[2] == "bytes=2097152-"


async def test_a_registry_without_ranges_is_asked_from_the_start(store: Store) -> None:
    async with running_registry() as registry:
        registry.ranges = False
        _, (layer,) = registry.add_image("app", "1", [tar({"big": BIG})])
        registry.faults[registry.blob_path("app", layer)] = [Cut(1 << 20)]
        image = await store.pull(f"{registry.host}/app:1")
        assert store.content(image, "big") == BIG


async def test_a_second_try_goes_on_where_the_first_gave_up(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"big": BIG})])
        path = registry.blob_path("app", layer)
        registry.faults[path] = [Cut(1 << 20), *[Status(404)] * 3]
        with pytest.raises(NotFoundError):
            await store.pull(f"{registry.host}/app:1")
        assert store.images.all() == []
        registry.faults.clear()
        asked = len(registry.requests(path))
        image = await store.pull(f"{registry.host}/app:1")
        assert store.content(image, "big") == BIG
        assert [one[2] for one in registry.requests(path)[asked:]] == ["bytes=1048576-"]


async def test_a_wrong_blob_is_refused_and_nothing_of_it_stays(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"a": b"1"})])
        raw = registry.blobs[layer]
        registry.faults[registry.blob_path("app", layer)] = [Swap(raw[:-1] + b"!")]
        with pytest.raises(RegistryError, match="another digest"):
            await store.pull(f"{registry.host}/app:1")
        assert store.images.all() == []
        assert store.images.layers.all() == []
        assert not store.images.blobs.has(layer)
        await store.pull(f"{registry.host}/app:1")


@abandons
async def test_a_blob_that_is_longer_than_promised_is_refused(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"a": b"1"})])
        registry.faults[registry.blob_path("app", layer)] = [
            Swap(registry.blobs[layer] + b"x" * 99)
        ]
        with pytest.raises(RegistryError, match="larger than"):
            await store.pull(f"{registry.host}/app:1")


async def test_a_layer_that_is_not_what_the_config_promises_is_refused(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"a": b"1"})])
        kind, raw = registry.manifests["app:1"]
        manifest = json.loads(raw)
        config = json.loads(registry.blobs[manifest["config"]["digest"]])
        config["rootfs"]["diff_ids"] = [digest(b"something else")]
        told = json.dumps(config).encode()
        manifest["config"] |= {"digest": registry.add_blob(told), "size": len(told)}
        registry.add_manifest("app", "1", kind, manifest)
        with pytest.raises(RegistryError, match="the config promised"):
            await store.pull(f"{registry.host}/app:1")
        assert store.images.layers.all() == []
    assert store.leftovers() == []
    assert layer


async def test_busy_and_broken_registries_are_asked_again(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"a": b"1"})])
        registry.faults["/v2/app/manifests/1"] = [Status(503), Status(429, {"Retry-After": "0"})]
        registry.faults[registry.blob_path("app", layer)] = [Status(500), Cut(0)]
        await store.pull(f"{registry.host}/app:1")


async def test_a_long_retry_after_is_not_waited_for(store: Store) -> None:
    async with running_registry() as registry:
        registry.add_image("app", "1", [tar({"a": b"1"})])
        registry.faults["/v2/app/manifests/1"] = [Status(429, {"Retry-After": "3600"})]
        with trio.fail_after(5), pytest.raises(RegistryError, match="toomanyrequests"):
            await store.pull(f"{registry.host}/app:1")


@abandons
@pytest.mark.parametrize("after", [-1, 4])
async def test_a_registry_that_hangs_is_given_up(store: Store, after: int) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"a": b"1"})])
        registry.faults[registry.blob_path("app", layer)] = [Hang(after)] * 9
        with trio.fail_after(20), pytest.raises(RegistryError, match="silent"):
            await store.pull(f"{registry.host}/app:1")


async def test_nobody_there_is_said_so(store: Store) -> None:
    with pytest.raises(RegistryError, match="cannot reach the registry"):
        await store.pull("127.0.0.1:1/app:1")


@abandons
async def test_cancelled_in_the_middle_the_next_pull_goes_on(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"big": BIG})])
        path = registry.blob_path("app", layer)
        registry.faults[path] = [Hang(1 << 20)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.pull, f"{registry.host}/app:1")
            await registry.stalled.wait()
            partial = store.layout.blobs / "partial" / layer.replace(":", "-")
            with trio.fail_after(5):
                while not partial.exists() or partial.stat().st_size < 1 << 20:
                    await trio.sleep(0.01)  # the bytes are on their way through two processes
            nursery.cancel_scope.cancel()
        assert store.images.all() == []
        image = await store.pull(f"{registry.host}/app:1")
        assert store.content(image, "big") == BIG
        assert registry.requests(path)[1][2] == "bytes=1048576-"


async def test_the_own_platform_is_chosen_from_an_index(store: Store) -> None:
    async with running_registry() as registry:
        entries = []
        for architecture in ("arm64", "amd64"):
            layer = tar({"arch": architecture.encode()})
            name, _ = registry.add_image("app", architecture, [layer], architecture=architecture)
            size = len(registry.manifests[f"app@{name}"][1])
            platform = {"os": "linux", "architecture": architecture}
            entries.append(
                {"mediaType": MANIFEST, "digest": name, "size": size, "platform": platform}
            )
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        top = registry.add_manifest("app", "1", INDEX, index)
        image = await store.pull(f"{registry.host}/app:1")
        assert store.content(image, "arch") == b"amd64"
        assert image.document["architecture"] == "amd64"
        other = await store.pull(f"{registry.host}/app:1", platform="linux/arm64")
        assert store.content(other, "arch") == b"arm64"
        by_digest = await store.pull(f"{registry.host}/app@{top}")
        assert by_digest.id == image.id
        with pytest.raises(NotFoundError, match=r"no matching manifest for linux/s390x"):
            await store.pull(f"{registry.host}/app:1", platform="linux/s390x")


async def test_schema_1_is_refused_by_name(store: Store) -> None:
    async with running_registry() as registry:
        kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        registry.add_manifest("old", "1", kind, {"schemaVersion": 1, "fsLayers": []})
        with pytest.raises(NotSupportedError, match="schema 1"):
            await store.pull(f"{registry.host}/old:1")


async def test_a_manifest_with_another_digest_is_refused(store: Store) -> None:
    async with running_registry() as registry:
        top, _ = registry.add_image("app", "1", [tar({"a": b"1"})])
        other, _ = registry.add_image("app", "2", [tar({"a": b"2"})])
        registry.manifests[f"app@{top}"] = registry.manifests[f"app@{other}"]
        with pytest.raises(EngineError, match="digest differs"):
            await store.pull(f"{registry.host}/app@{top}")


async def test_mirrors_are_asked_first_and_do_no_harm(store: Store) -> None:
    async with running_registry() as registry, running_registry() as mirror:
        registry.add_image("app", "1", [tar({"a": b"1"})])
        mirror.add_image("app", "1", [tar({"a": b"1"})])
        broken = "http://127.0.0.1:1"
        mirrors = {registry.host: (broken, f"http://{mirror.host}")}
        store.puller.settings = replace(store.settings, mirrors=mirrors)
        given = Credentials("me", "secret")
        await store.pull(f"{registry.host}/app:1", credentials=given)
        assert registry.asked == []
        assert any("could not help" in word for word in store.words())
        mirror.manifests.clear()
        registry.add_image("app", "2", [tar({"a": b"2"})])
        image = await store.pull(f"{registry.host}/app:2")
        assert store.content(image, "a") == b"2"


async def test_a_layer_bomb_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "small", RegistrySettings(layer_limit=1 << 20, certificates=()))
    try:
        async with running_registry() as registry:
            registry.add_image("bomb", "1", [tar({"zeros": bytes(8 << 20)})])
            with pytest.raises(EngineError, match="unpacks to more than 1048576 bytes"):
                await store.pull(f"{registry.host}/bomb:1")
        assert store.images.layers.all() == []
        assert store.leftovers() == []
    finally:
        store.close()


@abandons
async def test_a_full_disk_is_said_so_and_a_second_try_resumes(tmp_path: Path) -> None:
    import subprocess

    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    subprocess.run([*mount, "size=5m", "small", str(folder)], check=True)
    try:
        store = Store(folder / "store", RegistrySettings(certificates=()))
        try:
            async with running_registry() as registry:
                _, digests = registry.add_image(
                    "app", "1", [tar({"a": BIG}), tar({"b": os.urandom(3 << 20)})]
                )
                with pytest.raises(HostLimitError, match=r"[Nn]o space left on device"):
                    await store.pull(f"{registry.host}/app:1")
                assert store.images.all() == []
                assert store.leftovers() == []
                subprocess.run([*mount, "remount,size=40m", "small", str(folder)], check=True)
                registry.asked.clear()
                image = await store.pull(f"{registry.host}/app:1")
                assert store.content(image, "a") == BIG
                resumed = [one[2] for one in registry.requests("/blobs/") if one[2]]
                assert resumed or len(registry.requests("/blobs/")) < len(digests)
        finally:
            store.close()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def test_two_names_of_one_image_fetch_its_layers_once(store: Store) -> None:
    async with running_registry() as registry:
        _, (layer,) = registry.add_image("app", "1", [tar({"big": BIG})])
        registry.add_image("app", "2", [tar({"big": BIG})])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.pull, f"{registry.host}/app:1")
            nursery.start_soon(store.pull, f"{registry.host}/app:2")
        assert len(registry.requests(layer)) == 1
        assert len(store.images.all()[0].references) == 2


async def test_a_manifest_with_a_broken_size_is_refused(store: Store) -> None:
    async with running_registry() as registry:
        registry.add_image("app", "1", [tar({"a": b"1"})])
        kind, raw = registry.manifests["app:1"]
        manifest = json.loads(raw)
        manifest["layers"][0]["size"] = -5
        registry.add_manifest("app", "1", kind, manifest)
        with pytest.raises(EngineError, match="broken size"):
            await store.pull(f"{registry.host}/app:1")
