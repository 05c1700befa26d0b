"""Registry credentials as docker keeps them: ~/.docker/config.json and its helper programs.

Source: docker's documentation of config.json (auths, credsStore, credHelpers) and of the protocol
of docker-credential-helpers (get, store, erase; JSON on standard input and output).
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client.payloads.references import DEFAULT_REGISTRY, HUB_KEY, registry_of
from compose.errors import ComposeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HUB_NAMES = (DEFAULT_REGISTRY, "index.docker.io", "registry-1.docker.io", "")
#: Seconds; a helper may ask the person for a password of its own.
PATIENCE = 60


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration file is."""
    folder = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '/root')}/.docker"
    return Path(folder) / "config.json"


def read_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """The configuration file, {} where there is none that can be read."""
    try:
        document = json.loads(config_path(environment).read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def key_of(registry: str) -> str:
    """The key of a registry in the file: its host, or Docker Hub's old address. Pure."""
    name = registry.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return HUB_KEY if name in HUB_NAMES else name


def helper_of(config: Mapping[str, Any], key: str) -> str:
    """The helper program that keeps a registry's credentials; "" for none. Pure."""
    return str((config.get("credHelpers") or {}).get(key) or config.get("credsStore") or "")


def credentials(config: Mapping[str, Any], registry: str) -> dict[str, str]:
    """The AuthConfig for a registry; {} for none. Asks a helper program where one is named."""
    key = key_of(registry)
    helper = helper_of(config, key)
    if helper:
        found = ask_helper(helper, key)
        if found:
            return found
    entries = config.get("auths") or {}
    entry: Mapping[str, Any] = next(
        (entries[name] for name in spellings(key) if entries.get(name)), {}
    )
    auth = {"serveraddress": key}
    if entry.get("identitytoken"):
        return {**auth, "identitytoken": entry["identitytoken"]}
    if entry.get("registrytoken"):
        return {**auth, "registrytoken": entry["registrytoken"]}
    if entry.get("auth"):
        try:
            pair = base64.b64decode(str(entry["auth"]), validate=True)
            name, _, password = pair.decode().partition(":")
        except ValueError:
            return {}
        return {**auth, "username": name, "password": password.rstrip("\0")}
    if entry.get("username"):
        return {**auth, "username": entry["username"], "password": entry.get("password", "")}
    return {}


def spellings(key: str) -> Iterator[str]:
    """How a registry's key has been written in files of all ages. Pure."""
    yield key
    if key == HUB_KEY:
        yield from (name for name in HUB_NAMES if name)
        return
    for scheme in ("https://", "http://"):
        for path in ("", "/", "/v1/", "/v2/"):
            yield f"{scheme}{key}{path}"


def ask_helper(helper: str, key: str) -> dict[str, str]:
    """What docker-credential-HELPER says of a registry; {} if it knows nothing or is not there."""
    try:
        found = json.loads(run_helper(helper, "get", key))
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    if found.get("Username") == "<token>":
        return {"serveraddress": key, "identitytoken": found.get("Secret", "")}
    return {
        "serveraddress": key,
        "username": found.get("Username", ""),
        "password": found.get("Secret", ""),
    }


def run_helper(helper: str, verb: str, text: str) -> str:
    """One call of a helper program. Raises OSError, SubprocessError."""
    done = subprocess.run(
        [f"docker-credential-{helper}", verb],
        input=text, capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    return done.stdout


def store(environment: Mapping[str, str], registry: str, entry: Mapping[str, str]) -> Path | None:
    """Keep credentials as docker does: in the helper if one is named, else in the file.

    The file that they are in as plain text; None if a helper has them. Raises ComposeError.
    """
    config, key = read_config(environment), key_of(registry)
    helper = helper_of(config, key)
    token = entry.get("identitytoken")
    kept: dict[str, str] = {}
    if helper:
        document = {
            "ServerURL": key,
            "Username": "<token>" if token else entry.get("username", ""),
            "Secret": token or entry.get("password", ""),
        }
        try:
            run_helper(helper, "store", json.dumps(document))
        except (OSError, subprocess.SubprocessError) as error:
            raise ComposeError(
                f"docker-credential-{helper} cannot keep the login: {error}"
            ) from error
    elif token:
        kept = {"auth": basic(entry.get("username", ""), ""), "identitytoken": token}
    else:
        kept = {"auth": basic(entry.get("username", ""), entry.get("password", ""))}
    write_config(environment, {**config, "auths": {**(config.get("auths") or {}), key: kept}})
    return None if helper else config_path(environment)


def erase(environment: Mapping[str, str], registry: str) -> bool:
    """Forget a registry's credentials; False if there were none. Raises ComposeError."""
    config, key = read_config(environment), key_of(registry)
    entries = dict(config.get("auths") or {})
    known = [name for name in spellings(key) if name in entries]
    helper = helper_of(config, key)
    if helper and (known or ask_helper(helper, key)):
        try:
            run_helper(helper, "erase", key)
        except (OSError, subprocess.SubprocessError) as error:
            raise ComposeError(f"docker-credential-{helper} cannot forget it: {error}") from error
        known = known or [key]
    for name in known:
        entries.pop(name, None)
    if known:
        write_config(environment, {**config, "auths": entries})
    return bool(known)


def write_config(environment: Mapping[str, str], document: Mapping[str, Any]) -> None:
    """Replace the file at once, readable for its owner alone. Raises ComposeError."""
    path = config_path(environment)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = path.resolve()  # who keeps it elsewhere keeps the link
        with open(temporary, "w", opener=_private) as file:  # pathlib has no opener
            file.write(json.dumps(document, indent="\t"))
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ComposeError(f"cannot write {path}: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def basic(name: str, password: str) -> str:
    """ "name:password" in base64. Pure."""
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def registry_auth(environment: Mapping[str, str], image: str) -> str:
    """X-Registry-Auth for an image's registry: base64 of JSON."""
    return encode(credentials(read_config(environment), registry_of(image)))


def registry_config(environment: Mapping[str, str]) -> str:
    """X-Registry-Config for a build: the credentials of all registries that the file names."""
    config = read_config(environment)
    names = {*(config.get("auths") or {}), *(config.get("credHelpers") or {})}
    found = {name: credentials(config, name) for name in names}
    return encode({name: entry for name, entry in found.items() if entry})


def encode(document: Mapping[str, Any]) -> str:
    """JSON in URL-safe base64."""
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()
