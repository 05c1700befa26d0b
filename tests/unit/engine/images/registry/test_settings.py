"""engine.json: Docker's keys, and one clear line for what is wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HostLimitError
from engine.images.registry.connect import endpoints_of
from engine.images.registry.settings import RegistrySettings, host_name, read_settings


def written(folder: Path, document: Any) -> Path:
    (folder / "engine.json").write_text(json.dumps(document))
    return folder


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    assert settings == RegistrySettings(certificates=settings.certificates)
    assert settings.certificates[0] == tmp_path / "certs.d"


def test_all_that_it_can_say(tmp_path: Path) -> None:
    document = {
        "registry-mirrors": ["https://mirror.test/"],
        "insecure-registries": ["reg.test:5000", "10.0.0.0/8"],
        "proxies": {"http-proxy": "http://p:1", "https-proxy": "http://p:2", "no-proxy": "a, b"},
        "max-concurrent-downloads": 7,
        "max-concurrent-uploads": 8,
        "max-download-attempts": 9,
        "registry-timeout": 10,
        "max-layer-size": 11,
    }
    settings = read_settings(written(tmp_path, document))
    assert settings.mirrors_of("registry-1.docker.io") == ("https://mirror.test",)
    assert (settings.http_proxy, settings.https_proxy) == ("http://p:1", "http://p:2")
    assert settings.no_proxy == ("a", "b")
    numbers = (settings.downloads, settings.uploads, settings.attempts)
    assert (*numbers, settings.silence, settings.layer_limit) == (7, 8, 9, 10, 11)


def test_mirrors_of_any_registry(tmp_path: Path) -> None:
    document = {"registry-mirrors": {"ghcr.io": ["http://m.test:80/proxy/ghcr"]}}
    settings = read_settings(written(tmp_path, document))
    mirror, itself = endpoints_of("ghcr.io", settings)
    assert (mirror.host, mirror.scheme, mirror.prefix) == ("m.test:80", "http", "/proxy/ghcr")
    assert (mirror.mirror, itself.mirror, itself.host) == (True, False, "ghcr.io")
    assert [one.host for one in endpoints_of("docker.io", settings)] == ["docker.io"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "a JSON object"),
        ({"registry-miror": []}, 'unknown key "registry-miror"'),
        ({"registry-mirrors": "https://m"}, "a list of texts"),
        ({"registry-mirrors": ["m.test"]}, "write https://"),
        ({"insecure-registries": ["10.0.0.0/99"]}, "insecure-registries"),
        ({"proxies": {"ftp-proxy": "x"}}, "ftp-proxy"),
        ({"proxies": 5}, "proxies"),
        ({"max-concurrent-downloads": 0}, "1 or more"),
        ({"registry-timeout": True}, "1 or more"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(HostLimitError, match="engine.json") as caught:
        read_settings(written(tmp_path, document))
    assert words in str(caught.value)


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text("{")
    with pytest.raises(HostLimitError, match="cannot read"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    ("host", "insecure"),
    [
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("10.1.2.3:5000", True),
        ("reg.test:5000", True),
        ("reg.test", False),
        ("11.1.2.3", False),
        ("localhost.test", False),
    ],
)
def test_which_may_be_insecure(host: str, insecure: bool) -> None:
    settings = RegistrySettings(insecure=("reg.test:5000", "10.0.0.0/8"))
    assert settings.is_insecure(host) is insecure


def test_the_name_of_a_host() -> None:
    assert [host_name(one) for one in ("a:1", "a", "[::1]:5", "::1")] == ["a", "a", "::1", "::1"]
