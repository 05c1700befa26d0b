"""Registries behind a proxy: of engine.json, of the environment, with tunnels, and where it is passed by."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.images.registry.answers import RegistryError
from engine.images.registry.connect import is_loopback
from engine.images.registry.settings import read_settings
from tests.fakes.proxy import running_proxy
from tests.fakes.registry import running_registry, tar

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.engine.images.conftest import Store

pytestmark = pytest.mark.root
#: A registry that only the proxy knows.
HOST = "registry.test:5001"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def configure(store: Store, folder: Path, **document: object) -> None:
    """The store's registries are as an engine.json says."""
    (folder / "engine.json").write_text(json.dumps(document))
    store.puller.settings = replace(read_settings(folder), silence=2.0, attempts=1)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's side; the CA lies in certs.d."""
    folder = tmp_path / "certs.d" / HOST
    folder.mkdir(parents=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(tmp_path / "key"), "-out", str(folder / "ca.crt"), "-subj", "/CN=registry.test",
         "-addext", "subjectAltName=DNS:registry.test"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.crt", tmp_path / "key")
    return context


async def test_a_plain_registry_is_asked_through_the_proxy_of_the_settings(
    store: Store, tmp_path: Path
) -> None:
    async with running_registry() as registry, running_proxy(registry) as proxy:
        registry.add_image("app", "1", [tar({"a": b"1"})])
        there = proxy.address.replace("//", "//me:secret@")
        configure(
            store, tmp_path, proxies={"http-proxy": there, "https-proxy": there},
            **{"insecure-registries": [HOST]},
        )  # fmt: skip
        image = await store.pull(f"{HOST}/app:1")
        assert store.content(image, "a") == b"1"
        assert ("GET", f"http://{HOST}/v2/app/manifests/1") in proxy.asked
        assert proxy.given == {f"Basic {base64.b64encode(b'me:secret').decode()}"}


async def test_tls_goes_through_a_tunnel(store: Store, tmp_path: Path, tls: ssl.SSLContext) -> None:
    async with running_registry() as registry, running_proxy(registry, tls) as proxy:
        registry.add_image("app", "1", [tar({"a": b"1"})])
        configure(store, tmp_path, proxies={"https-proxy": proxy.address})
        await store.pull(f"{HOST}/app:1")
        assert set(proxy.asked) == {("CONNECT", HOST)}  # what is asked for, the proxy cannot see
        assert registry.requests("/v2/app/manifests/1")


async def test_the_environment_names_a_proxy_too(
    store: Store, tmp_path: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_registry() as registry, running_proxy(registry, tls) as proxy:
        registry.add_image("app", "1", [tar({"a": b"1"})])
        configure(store, tmp_path)
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        await store.pull(f"{HOST}/app:1")
        assert set(proxy.asked) == {("CONNECT", HOST)}
        asked = len(proxy.asked)
        monkeypatch.setenv("NO_PROXY", "registry.test")
        with pytest.raises(RegistryError, match="cannot reach the registry"):
            await store.pull(f"{HOST}/app:1")
        assert len(proxy.asked) == asked


@pytest.mark.parametrize(("host", "expected"), [
    ("localhost:5000", True), ("127.0.0.2", True), ("[::1]:5000", True), ("registry.test", False), ("10.0.0.1:5000", False),
])  # fmt: skip
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


async def test_no_proxy_and_loopback_go_past_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_registry() as registry, running_proxy(registry) as proxy:
        registry.add_image("app", "1", [tar({"a": b"1"})])
        both = {"http-proxy": proxy.address, "https-proxy": proxy.address}
        configure(store, tmp_path, proxies={**both, "no-proxy": "other.test,.registry.test"})
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        await store.pull(f"{registry.host}/app:1")
        assert proxy.asked == []
        with pytest.raises(RegistryError, match="cannot reach the registry"):
            await store.pull(f"{HOST}/app:1")
        assert proxy.asked == []


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "403 Forbidden"])
async def test_a_proxy_that_refuses_is_told(store: Store, tmp_path: Path, refusal: str) -> None:
    async with running_registry() as registry, running_proxy(registry) as proxy:
        proxy.refusal = refusal
        configure(store, tmp_path, proxies={"https-proxy": proxy.address})
        with pytest.raises(
            RegistryError, match=f"cannot reach the registry.*the proxy refuses: {refusal}"
        ):
            await store.pull(f"{HOST}/app:1")
        assert proxy.asked
