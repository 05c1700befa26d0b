"""Pull and push with Debian's docker-registry: plain, TLS, passwords, tokens; and its clients beside us."""

from __future__ import annotations

import io
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from engine.images.registry.answers import AccessDeniedError, RegistryError
from engine.images.registry.auth import Credentials
from engine.images.registry.manifest import Platform
from engine.images.registry.search import LoginRefusedError, login, search
from engine.images.registry.settings import RegistrySettings
from tests.fakes.registry import tar
from tests.integration.engine.images import docker_registry
from tests.integration.engine.images.conftest import Store
from tests.integration.engine.images.docker_registry import PASSWORD, USER, Running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.images.model import Image

pytestmark = pytest.mark.peer
ME = Credentials(USER, PASSWORD)


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: layers are unpacked with their owners")
    assert docker_registry.is_installed(), "`make peers` installs docker-registry"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with docker_registry.running(tmp_path_factory.mktemp("plain")) as started:
        yield started


async def made(store: Store, name: str, content: bytes = b"1") -> Image:
    """An image of the store's own, made of one file."""
    raw = io.BytesIO(tar({"file": content}))
    document = {"architecture": "amd64", "os": "linux", "config": {}}
    image = await store.images.add_archive(raw, document)
    store.images.tag(image, name)
    return image


async def test_what_is_pushed_is_pulled(store: Store, plain: Running, tmp_path: Path) -> None:
    name = f"{plain.host}/team/app:1"
    image = await made(store, name, os.urandom(2 << 20))
    await store.pusher.push(name, store.report, Credentials())
    digest = next(one["aux"]["Digest"] for one in store.told if "aux" in one)
    assert store.images.find(f"{plain.host}/team/app@{digest}").id == image.id
    other = Store(tmp_path / "other", store.settings)
    try:
        pulled = await other.pull(name)
        assert pulled.id == image.id
        assert other.content(pulled, "file") == store.content(image, "file")
        # And on to another repository, under the same digest: the manifest is kept.
        other.images.tag(pulled, f"{plain.host}/copies/app:2")
        await other.pusher.push(f"{plain.host}/copies/app:2", other.report, Credentials())
        assert digest in str(other.told[-1])
        assert any("Mounted from team/app" in one.get("status", "") for one in other.told)
    finally:
        other.close()


async def test_what_is_there_is_not_pushed_again(store: Store, plain: Running) -> None:
    await made(store, f"{plain.host}/again:1", b"again")
    await store.pusher.push(f"{plain.host}/again:1", store.report, Credentials())
    store.told.clear()
    await store.pusher.push(f"{plain.host}/again:1", store.report, Credentials())
    assert "Layer already exists" in store.words()
    assert "Pushed" not in store.words()


async def test_tags_and_search(store: Store, plain: Running) -> None:
    for tag in ("1", "2"):
        await made(store, f"{plain.host}/many:{tag}", tag.encode())
        await store.pusher.push(f"{plain.host}/many:{tag}", store.report, Credentials())
        await store.images.remove(f"{plain.host}/many:{tag}")
    await store.puller.pull_all(f"{plain.host}/many", store.report)
    names = {name for image in store.images.all() for name in image.references}
    assert names == {f"{plain.host}/many:1", f"{plain.host}/many:2"}
    found = await search(f"{plain.host}/man", 25, Credentials(), store.settings)
    assert [one["name"] for one in found] == ["many"]
    manifest, platforms = await store.puller.describe(f"{plain.host}/many:1", Credentials())
    assert manifest.digest.startswith("sha256:")
    assert [str(one) for one in platforms] == ["linux/amd64"]


async def test_a_certificate_of_ones_own(store: Store, tmp_path: Path) -> None:
    with docker_registry.running(tmp_path / "tls", tls=True) as registry:
        name = f"{registry.host}/app:1"
        await made(store, name)
        certificates = tmp_path / "certs.d"
        folder = certificates / registry.host
        folder.mkdir(parents=True)
        store.pusher.settings = RegistrySettings(certificates=(certificates,))
        # With a folder for this registry its certificate is checked, and this is not the one.
        docker_registry.make_certificate(folder)
        (folder / "tls.crt").rename(folder / "wrong.crt")
        (folder / "tls.key").unlink()
        with pytest.raises(RegistryError):
            await store.pusher.push(name, store.report, Credentials())
        (folder / "wrong.crt").unlink()
        (folder / "ca.crt").write_bytes((registry.folder / "tls.crt").read_bytes())
        await store.pusher.push(name, store.report, Credentials())
        store.puller.settings = store.pusher.settings
        await store.pull(name)


async def test_passwords(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "basic"
    folder.mkdir()
    docker_registry.htpasswd(folder)
    auth = {"htpasswd": {"realm": "r", "path": str(folder / "htpasswd")}}
    with docker_registry.running(folder, auth=auth) as registry:
        name = f"{registry.host}/app:1"
        await made(store, name)
        for wrong in (Credentials(), Credentials(USER, "wrong")):
            with pytest.raises(AccessDeniedError, match="denied"):
                await store.pusher.push(name, store.report, wrong)
            with pytest.raises(AccessDeniedError, match="pull access denied for app"):
                await store.pull(name, credentials=wrong)
        await store.pusher.push(name, store.report, ME)
        await store.pull(name, credentials=ME)
        assert await login(registry.host, ME, store.settings) == ""
        with pytest.raises(LoginRefusedError, match="incorrect username or password"):
            await login(registry.host, Credentials(USER, "wrong"), store.settings)


async def test_tokens(store: Store, tmp_path: Path) -> None:
    with (
        docker_registry.running_tokens(tmp_path / "tokens") as (server, auth),
        docker_registry.running(tmp_path / "registry", auth=auth) as registry,
    ):
        name = f"{registry.host}/public/app:1"
        await made(store, name)
        with pytest.raises(AccessDeniedError):
            await store.pusher.push(name, store.report, Credentials())
        await store.pusher.push(name, store.report, ME)
        assert ["repository:public/app:pull,push"] in [one.get("scope") for one in server.asked]
        await store.images.remove(name)
        await store.pull(name)  # anybody may
        await made(store, f"{registry.host}/private/app:1", b"2")
        await store.pusher.push(f"{registry.host}/private/app:1", store.report, ME)
        with pytest.raises(AccessDeniedError, match="pull access denied for private/app"):
            await store.pull(f"{registry.host}/private/app:1")
        kept = await login(registry.host, ME, store.settings)
        assert kept == "keep-me"
        await store.pull(
            f"{registry.host}/private/app:1", credentials=Credentials(identity_token=kept)
        )


def skopeo(*arguments: str) -> str:
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_skopeo_and_we_read_each_others(store: Store, plain: Running, tmp_path: Path) -> None:
    from engine.images.loading import Arrival

    name = f"{plain.host}/skopeo:1"
    image = await made(store, name, b"for skopeo")
    await store.pusher.push(name, store.report, Credentials())
    for target in (
        "oci:{}/layout:1",
        "docker-archive:{}/archive.tar:x/y:1",
        "oci-archive:{}/oci.tar:x/y:1",
    ):
        there = target.format(tmp_path)
        skopeo("copy", "--src-tls-verify=false", f"docker://{name}", there)
        if there.startswith("oci:"):
            subprocess.run(
                ["umoci", "unpack", "--image", f"{tmp_path}/layout:1", str(tmp_path / "bundle")],
                check=True, capture_output=True,
            )  # fmt: skip
            assert (tmp_path / "bundle/rootfs/file").read_bytes() == b"for skopeo"
            continue
        arrival = Arrival(tmp_path / f"arrival-{there.partition(':')[0]}")
        with open(there.split(":")[1], "rb") as raw:
            arrival.receive(raw)
        (found,) = arrival.images(Platform("linux", "amd64"))
        assert found.names in (("x/y:1",), ("docker.io/x/y:1",))
        assert [one.digest for one in found.images[0].layers]
    skopeo(
        "copy",
        "--dest-tls-verify=false",
        f"oci:{tmp_path}/layout:1",
        f"docker://{plain.host}/back:1",
    )
    back = await store.pull(f"{plain.host}/back:1")  # skopeo writes the config anew
    assert back.diff_ids == image.diff_ids


async def test_an_image_made_by_umoci(store: Store, plain: Running, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    subprocess.run(["umoci", "init", "--layout", str(layout)], check=True)
    subprocess.run(["umoci", "new", "--image", f"{layout}:1"], check=True)
    layer = tmp_path / "layer.tar"
    layer.write_bytes(tar({"a/b": b"umoci"}))
    subprocess.run(["umoci", "raw", "add-layer", "--image", f"{layout}:1", str(layer)], check=True)
    skopeo("copy", "--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{plain.host}/umoci:1")
    image = await store.pull(f"{plain.host}/umoci:1")
    assert store.content(image, "a/b") == b"umoci"


async def index(store: Store, name: str) -> list[Image]:
    """An image for two platforms, made here."""
    from engine.images.outgoing import index_of_images

    images = []
    for architecture in ("amd64", "arm64"):
        raw = io.BytesIO(tar({"arch": f"{architecture} {name}".encode()}))
        document = {"architecture": architecture, "os": "linux", "config": {}}
        images.append(await store.images.add_archive(raw, document))
    store.images.tag(images[0], name, index=index_of_images(store.images, images))
    return images


async def test_an_index_is_pushed_whole_and_others_read_it(
    store: Store, plain: Running, tmp_path: Path
) -> None:
    name = f"{plain.host}/several:1"
    own, arm = await index(store, name)
    await store.pusher.push(name, store.report, Credentials())
    digest = next(one["aux"]["Digest"] for one in store.told if "aux" in one)
    seen = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}"))
    assert [one["platform"]["architecture"] for one in seen["manifests"]] == ["amd64", "arm64"]
    now = store.images.index_of(name)
    assert now is not None
    assert now.id == digest == store.images.index_of(f"{plain.host}/several@{digest}").id  # type: ignore[union-attr]
    # skopeo's copy of all of it comes back as what it is, from its registry and as a layout.
    copied = f"{plain.host}/copied:1"
    skopeo(
        "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false",
        f"docker://{name}", f"docker://{copied}",
    )  # fmt: skip
    other = Store(tmp_path / "other", store.settings)
    try:
        assert (await other.pull(copied)).id == own.id
        assert (await other.pull(copied, platform="linux/arm64")).id == arm.id
        assert other.images.index_of(copied).id == digest  # type: ignore[union-attr]
        onward = f"{plain.host}/onward:1"
        other.images.tag(other.images.find(copied), onward, index=other.images.index_of(copied))
        await other.pusher.push(onward, other.report, Credentials())
        assert digest in str(other.told[-1])
    finally:
        other.close()


async def test_of_an_index_that_is_not_here_whole_the_image_is_pushed(
    store: Store, plain: Running, tmp_path: Path
) -> None:
    name = f"{plain.host}/part:1"
    await index(store, name)
    await store.pusher.push(name, store.report, Credentials())
    other = Store(tmp_path / "other", store.settings)
    try:
        await other.pull(name)
        part = f"{plain.host}/part:2"
        other.images.tag(other.images.find(name), part, index=other.images.index_of(name))
        await other.pusher.push(part, other.report, Credentials())
        assert any(one.get("aux", {}).get("manifestPushedInsteadOfIndex") for one in other.told)
        seen = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{part}"))
        assert "manifests" not in seen
    finally:
        other.close()
    arm = f"{plain.host}/part:arm"
    store.images.tag(store.images.find(name), arm, index=store.images.index_of(name))
    await store.pusher.push(arm, store.report, Credentials(), Platform("linux", "arm64"))
    seen = json.loads(skopeo("inspect", "--config", "--tls-verify=false", f"docker://{arm}"))
    assert seen["architecture"] == "arm64"


async def test_all_of_an_index_in_skopeo_s_archive_is_loaded(
    store: Store, plain: Running, tmp_path: Path
) -> None:
    from engine.images.loading import Arrival

    name = f"{plain.host}/archived:1"
    images = await index(store, name)
    await store.pusher.push(name, store.report, Credentials())
    target = f"oci-archive:{tmp_path}/all.tar:x/y:1"
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{name}", target)
    arrival = Arrival(tmp_path / "arrival")
    with (tmp_path / "all.tar").open("rb") as raw:
        arrival.receive(raw)
    (group,) = arrival.images(Platform("linux", "amd64"))
    assert group.index is not None
    assert group.names == ("x/y:1",)
    configs = [json.loads(one.config) for one in group.images]  # skopeo writes configs anew
    assert [tuple(one["rootfs"]["diff_ids"]) for one in configs] == [one.diff_ids for one in images]
    (alone,) = arrival.images(Platform("linux", "amd64"), Platform("linux", "arm64"))
    assert [json.loads(one.config)["architecture"] for one in alone.images] == ["arm64"]
