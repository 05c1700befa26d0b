"""Registry credentials as docker keeps them: ~/.docker/config.json and its helper programs."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client.payloads.references import DEFAULT_REGISTRY, HUB_KEY, registry_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """The configuration file, {} where there is none that can be read."""
    folder = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '/root')}/.docker"
    try:
        document = json.loads((Path(folder) / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def credentials(config: Mapping[str, Any], registry: str) -> dict[str, str]:
    """The AuthConfig for a registry; {} for none. Asks a helper program where one is named."""
    key = HUB_KEY if registry == DEFAULT_REGISTRY else registry
    helper = (config.get("credHelpers") or {}).get(key) or config.get("credsStore")
    if helper:
        found = ask_helper(str(helper), key)
        if found:
            return found
    entries = config.get("auths") or {}
    entry = entries.get(key) or entries.get(f"https://{key}") or {}
    auth = {"serveraddress": key}
    if entry.get("identitytoken"):
        return {**auth, "identitytoken": entry["identitytoken"]}
    if entry.get("auth"):
        try:
            name, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        except ValueError:
            return {}
        return {**auth, "username": name, "password": password.rstrip("\0")}
    return {}


def ask_helper(helper: str, key: str) -> dict[str, str]:
    """What docker-credential-HELPER says of a registry; {} if it knows nothing or is not there."""
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=key, capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    if found.get("Username") == "<token>":
        return {"serveraddress": key, "identitytoken": found.get("Secret", "")}
    return {
        "serveraddress": key,
        "username": found.get("Username", ""),
        "password": found.get("Secret", ""),
    }


def registry_auth(environment: Mapping[str, str], image: str) -> str:
    """X-Registry-Auth for an image's registry: base64 of JSON."""
    return encode(credentials(read_config(environment), registry_of(image)))


def registry_config(environment: Mapping[str, str]) -> str:
    """X-Registry-Config for a build: the credentials of all registries that the file names."""
    config = read_config(environment)
    names = {*(config.get("auths") or {}), *(config.get("credHelpers") or {})}
    found = {
        name: credentials(config, DEFAULT_REGISTRY if name == HUB_KEY else name) for name in names
    }
    return encode({name: entry for name, entry in found.items() if entry})


def encode(document: Mapping[str, Any]) -> str:
    """JSON in URL-safe base64."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()
