"""Images by the digest that their names have in their registries: `config --resolve-image-digests`.

A name is written in full first (docker.io/library/redis:latest), then asked for; one that has a digest
loses its tag. All that fail are told in one run. Source of the grammar: the distribution project's
reference format, which docker's names follow.
"""

from __future__ import annotations

import re

from compose.errors import EngineRefusedError, ProjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from compose.operations.session import Session

    #: Full names -> the digest of each, or why there is none.
    Resolve = Callable[[list[str]], Mapping[str, str | EngineRefusedError]]

HUB = "docker.io"
_LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>{_HOST}/{_PART}(?:/{_PART})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[^@]+))?",
    re.ASCII,
)
_DIGEST = re.compile("sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_ID = re.compile("[a-f0-9]{64}")
#: Calls under way at once.
_AT_ONCE = 8


def full_name(image: str) -> str:
    """`redis` -> `docker.io/library/redis:latest`, `redis:7@sha256:...` -> `docker.io/library/redis@sha256:...`.

    Raises ValueError for what is no image's name.
    """
    if _ID.fullmatch(image):
        raise ValueError(f"{image} is an image's id: give a name")
    first, slash, rest = image.partition("/")
    is_host = slash and (set(first) & {".", ":"} or first == "localhost" or first != first.lower())
    host, path = (first, rest) if is_host else (HUB, image)
    if host == "index.docker.io":
        host = HUB
    if host == HUB and "/" not in path:
        path = f"library/{path}"
    found = _REFERENCE.fullmatch(f"{host}/{path}")
    if found is None or len(found["name"]) > 255:
        raise ValueError(
            f"invalid reference format {image!r}: write [REGISTRY/]NAME[:TAG][@DIGEST], NAME in lower case"
        )
    if found["digest"] is None:
        return f"{found['name']}:{found['tag'] or 'latest'}"
    if not _DIGEST.fullmatch(found["digest"]):
        raise ValueError(f"invalid digest {found['digest']!r}: give all of it, as in sha256:...")
    return f"{found['name']}@{found['digest']}"


def pinned(services: Mapping[str, Any], resolve: Resolve) -> dict[str, Any]:
    """The services with their images by digest. Raises ProjectError with a line for each that has none."""
    wrong: list[str] = []
    names: dict[str, str] = {}
    for service, parts in services.items():
        if isinstance(parts, dict) and parts.get("image"):
            try:
                names[service] = full_name(str(parts["image"]))
            except ValueError as error:
                wrong.append(f"services.{service}.image: {error}")
    unknown = sorted({name for name in names.values() if "@" not in name})
    digests = resolve(unknown) if unknown else {}
    found = dict(services)
    for service, name in names.items():
        digest = digests.get(name, "")
        if isinstance(digest, EngineRefusedError):
            wrong.append(f"services.{service}.image: failed to resolve digest for {name}: {digest}")
        else:
            full = f"{name}@{digest}" if digest else name
            found[service] = {**services[service], "image": full}
    if wrong:
        raise ProjectError("\n".join(wrong))
    return found


def ask_registries(session: Session, names: list[str]) -> dict[str, str | EngineRefusedError]:
    """The digests of full names, through the engine, several at once."""
    from compose.engine_client.image_calls import distribution
    from compose.operations.credentials import registry_auth

    found: dict[str, str | EngineRefusedError] = {}
    with session.client() as client:
        for batch in _batches(names):
            pending = [
                (name, client.begin(distribution(name, registry_auth(session.environment, name))))
                for name in batch
            ]
            for name, one in pending:
                try:
                    found[name] = str(client.finish(one).json()["Descriptor"]["digest"])
                except EngineRefusedError as error:
                    found[name] = error
    return found


def _batches(names: list[str]) -> Iterable[list[str]]:
    return (names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE))
