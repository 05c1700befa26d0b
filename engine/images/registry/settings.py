"""How the engine reaches registries: `engine.json` and `certs.d`, read when the engine starts.

The keys are those of Docker's daemon.json, so that people know them: registry-mirrors (a list for
Docker Hub, or an object of lists by registry), insecure-registries (hosts with port, or CIDRs),
proxies (http-proxy, https-proxy, no-proxy), max-concurrent-downloads, max-concurrent-uploads,
max-download-attempts; and two of our own, registry-timeout (seconds of silence) and max-layer-size
(bytes that one layer may unpack to). Additional CAs lie in certs.d/HOST[:PORT]/*.crt, client
certificates beside them as NAME.cert with NAME.key; Docker's own certs.d is read too.
"""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import HostLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILE = "engine.json"
DOCKER_CERTS = Path("/etc/docker/certs.d")
HUB = ("docker.io", "registry-1.docker.io", "index.docker.io")


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What the configuration says; times in seconds, sizes in bytes."""

    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    insecure: tuple[str, ...] = ()
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: tuple[str, ...] = ()
    downloads: int = 3
    uploads: int = 5
    attempts: int = 5
    silence: float = 30.0
    layer_limit: int = 64 << 30
    certificates: tuple[Path, ...] = (DOCKER_CERTS,)

    def mirrors_of(self, host: str) -> tuple[str, ...]:
        """The mirrors to ask first for a registry's images."""
        return self.mirrors.get("docker.io" if host in HUB else host, ())

    def is_insecure(self, host: str) -> bool:
        """Whether plain HTTP and unknown certificates will do: as configured, and on loopback."""
        name = host_name(host)
        if name == "localhost" or host in self.insecure or name in self.insecure:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or any(
            address in ipaddress.ip_network(one, strict=False)
            for one in self.insecure
            if "/" in one
        )

    def certificate_folders(self, host: str) -> list[Path]:
        """The folders there are for a registry's certificates."""
        return [folder / host for folder in self.certificates if (folder / host).is_dir()]


def host_name(host: str) -> str:
    """The host of host[:port], an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def read_settings(folder: Path) -> RegistrySettings:
    """The settings in a folder; defaults where there is no file.

    Raises HostLimitError naming the file and the key for what is wrong in it.
    """
    path = folder / FILE
    certificates = (folder / "certs.d", DOCKER_CERTS)
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return RegistrySettings(certificates=certificates)
    except (OSError, ValueError) as error:
        raise HostLimitError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict):
        raise HostLimitError(f"{path} must hold a JSON object")
    values: dict[str, Any] = {}
    for key, value in document.items():
        reader = _KEYS.get(key)
        if reader is None:
            raise HostLimitError(
                f'{path}: unknown key "{key}"', hint=f"known are {', '.join(_KEYS)}"
            )
        try:
            values |= reader(value)
        except (ValueError, TypeError, AttributeError) as error:
            raise HostLimitError(f'{path}: "{key}" is wrong: {error}') from error
    return RegistrySettings(certificates=certificates, **values)


def settings_folder() -> Path:
    """PYCOMPOSE_CONFIG_DIR, else /etc/pycompose as root and the XDG folder otherwise."""
    chosen = os.environ.get("PYCOMPOSE_CONFIG_DIR")
    if chosen:
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/etc/pycompose")
    home = Path(os.environ.get("HOME", "/"))
    return Path(os.environ.get("XDG_CONFIG_HOME", home / ".config")) / "pycompose"


def _mirrors(value: Any) -> dict[str, Any]:
    lists = value if isinstance(value, dict) else {"docker.io": value}
    return {"mirrors": {host: tuple(map(_address, _texts(urls))) for host, urls in lists.items()}}


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError(f'"{text}" is no mirror: write https://host[:port]')
    return text.rstrip("/")


def _insecure(value: Any) -> dict[str, Any]:
    for text in _texts(value):
        if "/" in text:
            ipaddress.ip_network(text, strict=False)
    return {"insecure": tuple(_texts(value))}


def _proxies(value: Any) -> dict[str, Any]:
    unknown = set(value) - {"http-proxy", "https-proxy", "no-proxy"}
    if unknown:
        raise ValueError(f'unknown key "{min(unknown)}"')
    hosts = str(value.get("no-proxy", "")).split(",")
    return {
        "http_proxy": str(value.get("http-proxy", "")),
        "https_proxy": str(value.get("https-proxy", "")),
        "no_proxy": tuple(host.strip() for host in hosts if host.strip()),
    }


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("write a list of texts")
    return value


def _count(field_name: str) -> Callable[[Any], dict[str, Any]]:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError("write a number of 1 or more")
        return {field_name: value}

    return read


_KEYS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "registry-mirrors": _mirrors,
    "insecure-registries": _insecure,
    "proxies": _proxies,
    "max-concurrent-downloads": _count("downloads"),
    "max-concurrent-uploads": _count("uploads"),
    "max-download-attempts": _count("attempts"),
    "registry-timeout": _count("silence"),
    "max-layer-size": _count("layer_limit"),
}
