"""Manifests and indexes as values: what a registry sent, checked and typed; which platform to take.

Pure. Sources: OCI image-spec (manifest.md, image-index.md) and Docker's image manifest v2 schema 2.
A digest is checked by whoever reads the bytes (`parse_manifest` does it), sizes by whoever streams.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from engine.errors import EngineError, NotFoundError, NotSupportedError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)
#: What we ask for, best first.
ACCEPTED = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
#: A manifest that is larger is refused unread.
SIZE_LIMIT = 4 << 20
#: More layers than overlayfs takes cannot run anyway.
LAYER_LIMIT = 500

#: Other names of architectures, as the uname command has them. Source: containerd's platforms package.
ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}
ARCHITECTURES = frozenset(
    ("386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x")
)
#: The variants that are meant where none is said.
USUAL = {"arm64": "v8", "arm": "v7"}

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class ManifestError(EngineError):
    """What the registry sent is no manifest we can use; the registry's fault."""


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system and architecture; `variant` as in "linux/arm/v7"."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """ "os/arch[/variant]" as in --platform, or a known "arch" alone. Raises ValueError."""
        parts = text.lower().split("/")
        if ALIASES.get(parts[0], parts[0]) in ARCHITECTURES:
            parts.insert(0, "linux")
        if not 2 <= len(parts) <= 3 or not all(parts):
            raise ValueError(f'"{text}" is no platform: write os/arch or os/arch/variant')
        parts[1] = ALIASES.get(parts[1], parts[1])
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob by digest, with its size in bytes and what it is."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image for one platform."""

    media_type: str
    digest: str
    raw: bytes
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """Several images, a manifest each."""

    media_type: str
    digest: str
    raw: bytes
    manifests: tuple[Descriptor, ...]


def digest_of(raw: bytes, algorithm: str = "sha256") -> str:
    """The digest of some bytes, "sha256:<hex>"."""
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


def is_digest(text: str) -> bool:
    """Whether this is a digest by an algorithm that we verify."""
    return _DIGEST.fullmatch(text) is not None


def parse_manifest(raw: bytes, media_type: str, expected: str = "") -> Manifest | Index:
    """Type what a registry sent; with `expected`, the bytes must have that digest.

    Raises ManifestError, or NotSupportedError for schema 1.
    """
    media_type = media_type.partition(";")[0].strip().lower()
    if expected and digest_of(raw, expected.partition(":")[0]) != expected:
        raise ManifestError(
            f"the registry sent a manifest that is not {expected}: its digest differs"
        )
    digest = expected or digest_of(raw)
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise ManifestError(f"the registry sent a manifest that is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise ManifestError("the registry sent a manifest that is no JSON object")
    declared = document.get("mediaType", "")
    kind = declared if isinstance(declared, str) and declared else media_type
    if kind in SCHEMA_1 or document.get("schemaVersion") == 1:
        raise NotSupportedError(
            "the registry only has this image in the manifest format v2 schema 1, which is no longer read",
            hint="push the image again with a current tool",
        )
    if kind in (OCI_INDEX, DOCKER_LIST) or "manifests" in document:
        entries = _list(document, "manifests")
        return Index(kind, digest, raw, tuple(_descriptor(entry) for entry in entries))
    if kind in (OCI_MANIFEST, DOCKER_MANIFEST) or "layers" in document:
        layers = tuple(_descriptor(entry) for entry in _list(document, "layers"))
        if len(layers) > LAYER_LIMIT:
            raise ManifestError(
                f"the image has {len(layers)} layers; overlayfs takes {LAYER_LIMIT}"
            )
        return Manifest(kind, digest, raw, _descriptor(document.get("config")), layers)
    raise ManifestError(f'the registry sent a manifest of an unknown kind "{kind or "?"}"')


def provides(offered: Platform, wanted: Platform) -> bool:
    """Whether what is for one platform is what is asked for: any variant where none is said."""
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return False
    usual = USUAL.get(wanted.architecture, "")
    return not wanted.variant or wanted.variant == (offered.variant or usual)


def choose_manifest(index: Index, wanted: Platform) -> Descriptor:
    """The entry for a platform: same variant first, then one without, then any other.

    Raises NotFoundError that names what there is.
    """
    fitting = [
        entry
        for entry in index.manifests
        if entry.platform
        and (entry.platform.os, entry.platform.architecture) == (wanted.os, wanted.architecture)
    ]
    if not fitting:
        there = ", ".join(sorted({str(e.platform) for e in index.manifests if e.platform}))
        raise NotFoundError(
            f"no matching manifest for {wanted} in the manifest list entries",
            hint=f"there are {there or 'none with a platform'}",
        )

    def rank(entry: Descriptor) -> int:
        variant = entry.platform.variant if entry.platform else ""
        return 0 if variant == wanted.variant else 1 if not variant else 2

    return min(fitting, key=rank)


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise ManifestError(f'the registry sent a manifest without a list "{key}"')
    return value


def _descriptor(entry: Any) -> Descriptor:
    if not isinstance(entry, dict):
        raise ManifestError("the registry sent a manifest with a broken descriptor")
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not is_digest(digest):
        raise ManifestError(f"the registry sent a manifest with a broken digest: {digest!r}")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ManifestError(f"the registry sent a manifest with a broken size for {digest}")
    platform = entry.get("platform")
    return Descriptor(
        str(entry.get("mediaType", "")),
        digest,
        size,
        Platform(
            str(platform.get("os", "")),
            str(platform.get("architecture", "")),
            str(platform.get("variant") or ""),
        )
        if isinstance(platform, dict)
        else None,
    )
