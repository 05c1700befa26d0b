"""Images for several platforms under one name: pulled, removed, swept away; no engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import ConflictError, NotFoundError
from engine.images.registry.manifest import Platform
from tests.fakes.registry import INDEX, MANIFEST, Registry, running_registry, tar

if TYPE_CHECKING:
    from tests.integration.engine.images.conftest import Store

pytestmark = pytest.mark.root
AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")


def add_index(registry: Registry, tag: str = "1", *, papers: bool = False) -> str:
    """An image for two platforms, with an attestation if asked; the index's digest."""
    entries: list[dict[str, Any]] = []
    for architecture in ("arm64", "amd64"):
        layers = [tar({"both": b"1"}), tar({"arch": f"{architecture} {tag}".encode()})]
        name, _ = registry.add_image(
            "app", f"{architecture}-{tag}", layers, architecture=architecture
        )
        size = len(registry.manifests[f"app@{name}"][1])
        platform = {"os": "linux", "architecture": architecture}
        entries.append({"mediaType": MANIFEST, "digest": name, "size": size, "platform": platform})
    if papers:
        name, _ = registry.add_image("app", f"papers-{tag}", [tar({"x": b"y"})])
        unknown = {"os": "unknown", "architecture": "unknown"}
        entries.append({"mediaType": MANIFEST, "digest": name, "size": 9, "platform": unknown})
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return registry.add_manifest("app", tag, INDEX, document)


def gone(store: Store) -> bool:
    """Whether nothing at all is left."""
    images = store.images
    return not (images.all() or images.blobs.all() or images.layers.all() or images.indexes.all())


async def test_a_name_has_the_platforms_that_were_pulled(store: Store) -> None:
    async with running_registry() as registry:
        top, name = add_index(registry, papers=True), f"{registry.host}/app:1"
        own = await store.pull(name)
        index = store.images.index_of(name)
        assert index is not None
        assert (index.id, index.images) == (top, (own.id,))
        with pytest.raises(
            NotFoundError, match=r"does not provide the specified platform \(linux/arm64\)"
        ):
            store.images.find(name, ARM)
        other = await store.pull(name, platform="linux/arm64")
        assert other.platform == ARM
        assert store.images.find(name).id == own.id  # the host's own stays what is meant
        assert store.images.find(name, ARM).id == other.id
        assert store.images.find(f"{registry.host}/app@{top}", ARM).id == other.id
        assert store.images.find(top, ARM).id == other.id
        assert [one.is_image for one in store.images.index_of(name).members] == [True, True, False]
        held = next(one for one in store.images.all() if one.id == other.id)
        assert (held.names, held.held) == ((), (name, f"{registry.host}/app@{top}"))
        asked = len(registry.asked)
        assert (await store.pull(name, platform="linux/arm64")).id == other.id
        assert {method for method, _, _ in registry.asked[asked:]} <= {"HEAD"}


async def test_one_pulled_for_another_host_is_what_the_name_means(store: Store) -> None:
    async with running_registry() as registry:
        add_index(registry)
        other = await store.pull(f"{registry.host}/app:1", platform="linux/arm64")
        assert store.images.find(f"{registry.host}/app:1").id == other.id


async def test_prune_and_sweep_leave_what_a_named_index_holds(store: Store) -> None:
    async with running_registry() as registry:
        add_index(registry)
        name = f"{registry.host}/app:1"
        await store.pull(name)
        other = await store.pull(name, platform="linux/arm64")
        assert (await store.images.prune())[0] == []
        await store.images.recover()
        store.images.lower_dirs(store.images.find(name, ARM))
        store.images.users = lambda image_id: ["c" * 64] if image_id == other.id else []
        assert (await store.images.prune(dangling=False))[0] == []  # a container runs the other one
        with pytest.raises(ConflictError, match="must force"):
            await store.images.remove(name)
        store.images.users = lambda _image_id: []
        await store.images.prune(dangling=False)
        assert gone(store)


async def test_with_the_name_all_its_platforms_go(store: Store) -> None:
    async with running_registry() as registry:
        add_index(registry)
        name = f"{registry.host}/app:1"
        await store.pull(name)
        await store.pull(name, platform="linux/arm64")
        store.images.tag(store.images.find(name), "second:1", index=store.images.index_of(name))
        await store.images.remove(name)
        assert store.images.find("second:1", ARM).platform == ARM
        done = await store.images.remove("second:1")
        assert sum("Deleted" in one for one in done) == 2
        assert gone(store)


async def test_one_platform_is_removed_and_the_name_stands_for_what_is_left(store: Store) -> None:
    async with running_registry() as registry:
        add_index(registry)
        name = f"{registry.host}/app:1"
        own = await store.pull(name)
        other = await store.pull(name, platform="linux/arm64")
        assert await store.images.remove_platform(name, AMD) == [{"Deleted": own.id}]
        assert store.images.find(name).id == other.id
        again = await store.pull(name)
        assert (again.id, store.images.find(name).id) == (own.id, own.id)
        assert {"Deleted": other.id} in await store.images.remove(other.id)
        assert store.images.find(name).id == own.id
        with pytest.raises(NotFoundError):
            await store.images.remove_platform(name, ARM)
        await store.images.remove_platform(name, AMD)  # the last one goes with the name
        assert gone(store)


async def test_a_newer_index_takes_the_name(store: Store) -> None:
    async with running_registry() as registry:
        add_index(registry)
        name = f"{registry.host}/app:1"
        old = await store.pull(name)
        registry.manifests["app:1"] = registry.manifests[f"app@{add_index(registry, '2')}"]
        new = await store.pull(name)
        assert new.id != old.id
        assert store.images.index_of(name).images == (new.id,)
        assert store.images.known(old.id).names  # by its digest it still can be asked for
