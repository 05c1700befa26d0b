"""BuildKit clients' cache imports and exports -> what our builder does of them. Pure.

Rules: a registry's cache is imported and an inline one exported; all else is named, to be warned of,
for a cache never makes a build fail. Source: https://docs.docker.com/build/cache/backends/,
moby/buildkit api/services/control/control.proto (CacheOptions) and frontend/gateway/pb/gateway.proto.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.api.buildkit.protobuf import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Fields of CacheOptions, and of the gateway's SolveRequest.
EXPORTS, IMPORTS, GATEWAY_IMPORTS = 4, 5, 12
#: The frontend's attribute in which older clients give the imports, as JSON.
ATTRIBUTE = "cache-imports"


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """`sources` are images; `inline` asks for the cache in the image; `others` are not honoured."""

    sources: tuple[str, ...] = ()
    inline: bool = False
    others: tuple[str, ...] = ()

    def joined(self, other: CacheOptions) -> CacheOptions:
        """Both, each thing once."""
        return CacheOptions(
            tuple(dict.fromkeys((*self.sources, *other.sources))),
            self.inline or other.inline,
            tuple(dict.fromkeys((*self.others, *other.others))),
        )


def read_cache(options: Message) -> CacheOptions:
    """A CacheOptions message."""
    inline, others = False, []
    for kind, attributes in _entries(options.all(EXPORTS)):
        if kind == "inline":
            inline = True
        else:
            others.append(_named("cache_to", kind, attributes))
    sources = read_imports(_entries(options.all(IMPORTS)))
    return CacheOptions(inline=inline, others=tuple(others)).joined(sources)


def read_gateway_imports(request: Message) -> CacheOptions:
    """The imports of LLBBridge.Solve."""
    return read_imports(_entries(request.all(GATEWAY_IMPORTS)))


def read_attribute(attributes: Mapping[str, str]) -> CacheOptions:
    """The imports in the frontend's attributes; what is no such JSON is named."""
    text = attributes.get(ATTRIBUTE, "")
    if not text:
        return CacheOptions()
    try:
        found = [(str(one["Type"]), dict(one.get("Attrs") or {})) for one in json.loads(text)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return CacheOptions(others=(f"{ATTRIBUTE} {text[:80]}",))
    return read_imports(found)


def read_imports(entries: Iterable[tuple[str, Mapping[str, str]]]) -> CacheOptions:
    """Imports as (type, attributes)."""
    sources, others = [], []
    for kind, attributes in entries:
        if kind == "registry" and attributes.get("ref"):
            sources.append(attributes["ref"])
        else:
            others.append(_named("cache_from", kind, attributes))
    return CacheOptions(tuple(sources), others=tuple(others))


def _entries(raws: Iterable[bytes]) -> list[tuple[str, dict[str, str]]]:
    messages = [Message(raw) for raw in raws]
    return [(message.text(1), message.mapping(2)) for message in messages]


def _named(attribute: str, kind: str, attributes: Mapping[str, str]) -> str:
    """As people write it. What an attribute may hold of secrets (of s3, of gha) stays out."""
    shown = ("ref", "dest", "src", "scope", "name", "bucket")
    more = [f"{key}={attributes[key]}" for key in shown if key in attributes]
    return f"{attribute} {','.join([f'type={kind}', *more])}"
