"""`docker save`: images as one tar, an OCI layout with Docker's manifest.json beside it.

Rules: nothing is unpacked or packed twice: a layer that came as a blob leaves as that blob, with the
manifest it came with, so that digests survive; a layer made here is packed as it is written. The tar
is written in one pass, to a stream. Sources: OCI image-layout.md, Docker's image tar (since 25).
Everything here blocks: call it in a thread. The store's database is not touched here.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.images.indexes import Member
from engine.images.pack import pack_layer
from engine.images.registry.manifest import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    digest_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.images.registry.manifest import Platform

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Source:
    """A layer to write: `size` bytes of `digest`, from the file of a blob or packed from a folder."""

    digest: str
    size: int
    media_type: str = OCI_LAYER
    path: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An image to write: `layers` lowest first, `config` its bytes, `manifest` its bytes if it has one.

    `inside`: it is part of an index that is written too.
    """

    config: bytes
    layers: tuple[Source, ...]
    names: tuple[str, ...]
    manifest: bytes = b""
    manifest_type: str = OCI_MANIFEST
    inside: bool = False

    def described(self, platform: Platform, image_id: str) -> Member:
        """The image as a member of an index, by the manifest that is written of it."""
        raw = self.manifest or _manifest(self)
        kind = self.manifest_type if self.manifest else OCI_MANIFEST
        return Member(digest_of(raw), len(raw), kind, platform, image_id)


@dataclass(frozen=True, slots=True)
class OutgoingIndex:
    """An index to write under its names, after its images; `raw` its bytes."""

    raw: bytes
    media_type: str
    names: tuple[str, ...]


def write_images(
    images: Iterable[Outgoing], out: IO[bytes], indexes: Iterable[OutgoingIndex] = ()
) -> None:
    """Write the tar; what several images share is written once.

    The images of `indexes` are among `images`, without a name in the layout's own index unless they
    have one that no index has. Raises EngineError if a layer is no longer what it was, OSError if nobody reads.
    """
    indexes = tuple(indexes)
    inside = {name for one in indexes for name in one.names}
    written: set[str] = set()
    manifests: list[dict[str, Any]] = []
    index: list[dict[str, Any]] = []
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK) as archive:
        for outgoing in images:
            for layer in outgoing.layers:
                if layer.digest not in written:
                    written.add(layer.digest)
                    _write_layer(archive, layer)
            manifest = outgoing.manifest or _manifest(outgoing)
            for content in (outgoing.config, manifest):
                if digest_of(content) not in written:
                    written.add(digest_of(content))
                    _write(archive, _member(digest_of(content)), content)
            kind = outgoing.manifest_type if outgoing.manifest else OCI_MANIFEST
            own = tuple(name for name in outgoing.names if name not in inside)
            if own or not outgoing.inside:
                index += _described(kind, manifest, own)
            if outgoing.inside and not outgoing.names:
                continue  # Docker's own list has no place for platforms
            manifests.append(
                {
                    "Config": _member(digest_of(outgoing.config)),
                    "RepoTags": list(outgoing.names) or None,
                    "Layers": [_member(layer.digest) for layer in outgoing.layers],
                }
            )
        for one in indexes:
            if digest_of(one.raw) not in written:
                written.add(digest_of(one.raw))
                _write(archive, _member(digest_of(one.raw)), one.raw)
            index += _described(one.media_type, one.raw, one.names)
        top = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index}
        _write(archive, "index.json", json.dumps(top).encode())
        _write(archive, "manifest.json", json.dumps(manifests).encode())
        _write(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def _member(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _described(kind: str, manifest: bytes, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The index's entries: one for each name, one without where there is none."""
    entry: dict[str, Any] = {
        "mediaType": kind, "digest": digest_of(manifest), "size": len(manifest),
    }  # fmt: skip
    named = [
        {
            **entry,
            "annotations": {
                "io.containerd.image.name": name,
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            },
        }
        for name in names
    ]
    return named or [entry]


def _manifest(outgoing: Outgoing) -> bytes:
    config = outgoing.config
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [
            {"mediaType": _oci(layer.media_type), "digest": layer.digest, "size": layer.size}
            for layer in outgoing.layers
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _oci(kind: str) -> str:
    for ending in ("gzip", "zstd"):
        if kind.endswith(ending):
            return f"{OCI_LAYER}+{ending}"
    return OCI_LAYER


def _write_layer(archive: tarfile.TarFile, source: Source) -> None:
    entry = tarfile.TarInfo(_member(source.digest))
    entry.size = source.size
    assert archive.fileobj is not None
    archive.fileobj.write(entry.tobuf(tarfile.PAX_FORMAT))
    checked = _Checked(archive.fileobj)
    if source.path:
        with open(source.path, "rb") as stream:
            while chunk := stream.read(CHUNK):
                checked.write(chunk)
    else:
        pack_layer(source.folder, checked)
    if (checked.size, checked.digest) != (source.size, source.digest):
        raise EngineError(
            f"the layer {source.digest} changed on disk", hint="build or pull the image again"
        )
    archive.fileobj.write(bytes(-source.size % tarfile.BLOCKSIZE))


class _Checked:
    """Passes on what is written, counts and hashes it."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._running = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> int:
        """Pass on."""
        self._out.write(chunk)
        self._running.update(chunk)
        self.size += len(chunk)
        return len(chunk)

    @property
    def digest(self) -> str:
        return f"sha256:{self._running.hexdigest()}"


def _write(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
