"""Which of a build's credentials belong to an image's registry. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.images.reference import DEFAULT_HOST, parse_reference
from engine.images.registry.auth import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

_HUB = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")


def credentials_for(image: str, auths: Mapping[str, Any]) -> Credentials | None:
    """From X-Registry-Config, which has an entry a registry; None if there is none for this one."""
    host = parse_reference(image).host
    names = (host, f"https://{host}", f"http://{host}", *(_HUB if host == DEFAULT_HOST else ()))
    entry = next((auths[name] for name in names if isinstance(auths.get(name), dict)), None)
    if entry is None:
        return None
    return Credentials(
        username=str(entry.get("username") or ""),
        password=str(entry.get("password") or ""),
        identity_token=str(entry.get("identitytoken") or ""),
        registry_token=str(entry.get("registrytoken") or ""),
    )
