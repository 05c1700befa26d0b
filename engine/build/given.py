"""What our own client gives with a build beside the context: secrets, agents, a Dockerfile's text.

Rules: it comes as JSON in front of the context's tar (X-Pycompose-Inputs says how long), is kept in
memory, and a secret is never told. An agent is a socket on this host.
"""

from __future__ import annotations

import base64
import binascii
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import trio

from engine.build.context import FOLDER_CONTEXT
from engine.build.solve import IMAGE_CONTEXT
from engine.errors import EngineError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from engine.build.request import BuildRequest

#: BuildKit's bound for a secret; all of a request's inputs may be this much more.
SECRET_LIMIT, INPUTS_LIMIT = 500 << 10, 32 << 20


@dataclass(frozen=True, slots=True)
class Given:
    """A Giver whose secrets came with the request. `agents` are paths of sockets."""

    secrets: Mapping[str, bytes] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)

    async def secret(self, name: str) -> bytes | None:
        """A secret's content, None if there is none of that name."""
        return self.secrets.get(name)

    async def has_agent(self, name: str) -> bool:
        """Whether there is an agent of that name."""
        return name in self.agents

    def agent(self, name: str) -> AbstractAsyncContextManager[trio.abc.HalfCloseableStream]:
        """A new connection to an agent that there is."""
        return _connected(self.agents[name])

    async def credentials(self, host: str) -> Mapping[str, str]:
        """None: those of a request come with it (X-Registry-Config)."""
        del host
        return {}


@asynccontextmanager
async def _connected(path: str) -> AsyncIterator[trio.abc.HalfCloseableStream]:
    try:
        stream = await trio.open_unix_socket(path)
    except OSError as error:
        raise EngineError(f"cannot reach the ssh agent at {path}: {error.strerror}") from error
    async with stream:
        yield stream


def read_inputs(raw: bytes, request: BuildRequest) -> tuple[BuildRequest, Given]:
    """The request with its inputs. Raises InvalidRequestError; no message holds a secret."""
    try:
        document = json.loads(raw)
        secrets = {
            name: base64.b64decode(text, validate=True)
            for name, text in _strings(document, "secrets").items()
        }
    except (ValueError, binascii.Error, RecursionError) as error:
        raise InvalidRequestError("the build's inputs are no sound JSON") from error
    for name, content in secrets.items():
        if len(content) > SECRET_LIMIT:
            raise InvalidRequestError(f"secret {name} is larger than {SECRET_LIMIT >> 10} KiB")
    contexts = _strings(document, "contexts")
    for name, value in contexts.items():
        if "://" not in value and not value.startswith((FOLDER_CONTEXT, "git@")):
            raise InvalidRequestError(
                f"context {name}: {value} is neither {FOLDER_CONTEXT}NAME, {IMAGE_CONTEXT}NAME nor a URL"
            )
    inline = document.get("dockerfile")
    if inline is not None and not isinstance(inline, str):
        raise InvalidRequestError("the inputs' dockerfile is no text")
    filtered = document.get("no_cache_filter") or []
    if not isinstance(filtered, list) or not all(isinstance(one, str) for one in filtered):
        raise InvalidRequestError("the inputs' no_cache_filter is no list of texts")
    changed = replace(
        request, inline=inline, contexts=contexts, no_cache_filter=tuple(filtered),
        check=document.get("check") is True, cache_to=_cache_to(document.get("cache_to")),
    )  # fmt: skip
    return changed, Given(secrets, _strings(document, "ssh"))


def _cache_to(value: Any) -> str:
    if value not in (None, "", "min", "max", "inline"):
        raise InvalidRequestError(f"the inputs' cache_to is none of min, max and inline: {value}")
    return value or ""


def _strings(document: Any, key: str) -> dict[str, str]:
    found = document.get(key) if isinstance(document, dict) else None
    if found is None and isinstance(document, dict):
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise InvalidRequestError(f"the inputs' {key} is no mapping of texts")
    return found
