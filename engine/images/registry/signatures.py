"""The cosign signatures of an image in its registry, unjudged: whoever has a key judges them.

A signature is a layer of the image whose tag is made of the signed digest ("sha256-<hex>.sig"): the
layer is the payload, an annotation the signature of it. Source: cosign's signature specification
("Simple Signing").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import NotFoundError
from engine.images.registry.answers import RegistryError
from engine.images.registry.connect import open_registry
from engine.images.registry.manifest import Manifest, digest_of

if TYPE_CHECKING:
    from engine.images.reference import Reference
    from engine.images.registry.auth import Credentials
    from engine.images.registry.client import RegistryClient
    from engine.images.registry.settings import RegistrySettings

ANNOTATION = "dev.cosignproject.cosign/signature"
PAYLOAD_LIMIT = 1 << 20
#: Signatures of one image that are looked at.
MOST = 64


@dataclass(frozen=True, slots=True)
class Signature:
    """What was signed, and the signature in base64."""

    payload: bytes
    signature: str


async def fetch_signatures(
    reference: Reference, digest: str, credentials: Credentials, settings: RegistrySettings
) -> tuple[str, list[Signature]]:
    """(the digest they are about, the signatures); `digest` "" is the one the name has there now.

    Raises NotFoundError, RegistryError, AccessDeniedError.
    """
    async with open_registry(reference.registry, credentials, settings) as client:
        if not digest:
            found = await client.manifest(reference.path, reference.digest or reference.tag)
            digest = found.digest
        try:
            signed = await client.manifest(reference.path, f"{digest.replace(':', '-')}.sig")
        except NotFoundError:
            return digest, []
        if not isinstance(signed, Manifest):
            return digest, []
        entries = json.loads(signed.raw)["layers"][:MOST]
        return digest, [
            Signature(await _payload(client, reference.path, layer.digest), text)
            for layer, entry in zip(signed.layers, entries, strict=False)
            if (text := str((entry.get("annotations") or {}).get(ANNOTATION) or ""))
        ]


async def _payload(client: RegistryClient, repository: str, digest: str) -> bytes:
    async with client.blob(repository, digest, 0) as response:
        if int(response.headers.get("content-length") or 0) > PAYLOAD_LIMIT:
            raise RegistryError(f"the signature's payload {digest} is too large")
        raw = await response.aread()
    if digest_of(raw, digest.partition(":")[0]) != digest:
        raise RegistryError(f"the signature's payload {digest} arrived with another digest")
    return raw
