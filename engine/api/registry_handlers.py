"""Handlers of what is in registries: push, login, search, and what a name means there."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from engine.api.exchange import Exchange, Response
from engine.api.transfer_handlers import read_platform
from engine.errors import EngineError, InvalidRequestError, NotFoundError
from engine.images.reference import parse_reference
from engine.images.registry.auth import Credentials, decode_registry_auth
from engine.images.registry.search import login, search
from engine.images.registry.signatures import fetch_signatures

if TYPE_CHECKING:
    from engine.api.engine import Engine

SEARCH_LIMIT = 25
TRUE, FALSE = ("true", "1", "t"), ("false", "0", "f")


async def push(engine: Engine, exchange: Exchange, name: str) -> None:
    """POST /images/{name}/push; every tag of the repository where none is given."""
    request = exchange.request
    tag = request.text("tag")
    platform = read_platform(request.text("platform")) if request.text("platform") else None
    credentials = decode_registry_auth(request.headers.get("x-registry-auth", ""))
    if tag:
        names = [f"{name}:{tag}"]
    elif ":" in name.rpartition("/")[2]:
        names = [name]
    else:
        wanted = parse_reference(name).familiar_name
        names = [
            reference
            for image in engine.images.all()
            for reference in image.references
            if parse_reference(reference).familiar_name == wanted
        ]
    for one in names:
        parse_reference(one)
    if not names:
        raise InvalidRequestError(f"An image does not exist locally with the tag: {name}")
    async with exchange.stream() as body:
        try:
            for one in sorted(names):
                await engine.pusher.push(one, body.send_json, credentials, platform)
        except EngineError as error:
            await body.send_json({"errorDetail": {"message": str(error)}, "error": str(error)})


async def auth(engine: Engine, exchange: Exchange) -> Response:
    """POST /auth: whether a registry takes these credentials."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("credentials must be a JSON object")
    given = Credentials(
        str(document.get("username") or ""),
        str(document.get("password") or ""),
        str(document.get("identitytoken") or ""),
        str(document.get("registrytoken") or ""),
    )
    address = str(document.get("serveraddress") or "")
    token = await login(address, given, engine.puller.settings)
    return Response(document={"Status": "Login Succeeded", "IdentityToken": token})


async def find(engine: Engine, exchange: Exchange) -> Response:
    """GET /images/search."""
    request = exchange.request
    term = request.text("term")
    if not term:
        raise InvalidRequestError("term must be given")
    limit = request.number("limit", SEARCH_LIMIT) or SEARCH_LIMIT
    if not 1 <= limit <= 100:
        raise InvalidRequestError(f"limit {limit} is outside the range of [1, 100]")
    filters = request.filters()
    unknown = set(filters) - {"is-official", "is-automated", "stars"}
    if unknown:
        raise InvalidRequestError(f"invalid filter '{min(unknown)}'")
    credentials = decode_registry_auth(request.headers.get("x-registry-auth", ""))
    found = await search(term, limit, credentials, engine.puller.settings)
    return Response(document=[one for one in found if _fits(one, filters)])


def _fits(one: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    for key, values in filters.items():
        for value in values:
            if key == "stars":
                if not value.isdigit():
                    raise InvalidRequestError(f"invalid filter 'stars={value}'")
                if int(one.get("star_count") or 0) < int(value):
                    return False
            elif value.lower() not in TRUE + FALSE:
                raise InvalidRequestError(f"invalid filter '{key}={value}'")
            elif bool(one.get(key.replace("-", "_"))) != (value.lower() in TRUE):
                return False
    return True


async def distribution(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /distribution/{name}/json: the descriptor and platforms of a name in its registry."""
    credentials = decode_registry_auth(exchange.request.headers.get("x-registry-auth", ""))
    found, platforms = await engine.puller.describe(name, credentials)
    return Response(
        document={
            "Descriptor": {
                "mediaType": found.media_type,
                "digest": found.digest,
                "size": len(found.raw),
            },
            "Platforms": [
                {
                    "architecture": one.architecture,
                    "os": one.os,
                    **({"variant": one.variant} if one.variant else {}),
                }
                for one in platforms
            ],
        }
    )


async def signatures(engine: Engine, exchange: Exchange, name: str) -> Response:
    """GET /pycompose/signatures/{name}, our own: an image's cosign signatures, unjudged.

    They are about the image that is here under the name, else about the one in the registry.
    """
    credentials = decode_registry_auth(exchange.request.headers.get("x-registry-auth", ""))
    reference = parse_reference(name)
    try:
        image = engine.images.find(name)
    except NotFoundError:
        digest = ""
    else:
        own = (one.partition("@") for one in image.digests)
        digest = next((d for owner, _, d in own if owner == reference.familiar_name), "")
        if not digest:
            raise NotFoundError(f"{name} was made here: no registry has a signature of it")
    digest, found = await fetch_signatures(reference, digest, credentials, engine.puller.settings)
    return Response(
        document={
            "Digest": digest,
            "Signatures": [
                {"Payload": base64.b64encode(one.payload).decode(), "Signature": one.signature}
                for one in found
            ],
        }
    )
