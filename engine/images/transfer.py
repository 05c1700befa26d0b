"""`docker save` and `docker load`: images as one tar, in the layout that Docker writes and reads.

Written: an OCI layout (oci-layout, index.json, blobs/sha256/...) with Docker's manifest.json beside it,
as Docker does since 25. Read: either of the two. Source: OCI image-layout.md, Docker's image tar.
Everything here blocks: call it in a thread. The store's database is not touched here.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from engine.errors import InvalidRequestError
from engine.images.compression import open_tar
from engine.images.model import encode_config
from engine.images.pack import pack_layer
from engine.images.registry.manifest import OCI_INDEX, OCI_MANIFEST, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG_LIMIT = 8 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A layer to write: its unpacked folder, and the path of the blob it came as ("" for none)."""

    folder: str
    blob: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An image to write: `layers` lowest first, `config` its bytes."""

    image_id: str
    config: bytes
    layers: tuple[Source, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incoming:
    """An image found in a tar: the config's bytes, and the member names of its layers, lowest first."""

    config: bytes
    layers: tuple[str, ...]
    names: tuple[str, ...]


def write_images(images: Iterable[Outgoing], out: IO[bytes], scratch: Path) -> None:
    """Write a tar of images; layers that several share are written once."""
    written: set[str] = set()
    manifests: list[dict[str, Any]] = []
    index: list[dict[str, Any]] = []
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for outgoing in images:
            layers = [_write_layer(archive, source, written, scratch) for source in outgoing.layers]
            config = _with_diff_ids(outgoing.config, [digest for _, digest in layers])
            _write_blob(archive, config, written)
            manifest = _manifest(config, layers)
            _write_blob(archive, manifest, written)
            described: dict[str, Any] = {
                "mediaType": OCI_MANIFEST, "digest": digest_of(manifest), "size": len(manifest),
            }  # fmt: skip
            index += [
                {**described, "annotations": {"io.containerd.image.name": name}}
                for name in outgoing.names
            ] or [described]
            manifests.append(
                {
                    "Config": f"blobs/sha256/{digest_of(config)[7:]}",
                    "RepoTags": list(outgoing.names) or None,
                    "Layers": [f"blobs/sha256/{digest[7:]}" for _, digest in layers],
                }
            )
        top = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": index}
        _write(archive, "index.json", json.dumps(top).encode())
        _write(archive, "manifest.json", json.dumps(manifests).encode())
        _write(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def _with_diff_ids(config: bytes, diff_ids: list[str]) -> bytes:
    """The config, its layers named as they are written: a tar that was imported is not kept as it was."""
    document = json.loads(config)
    if document["rootfs"]["diff_ids"] == diff_ids:
        return config
    document["rootfs"]["diff_ids"] = diff_ids
    return encode_config(document)


def _manifest(config: bytes, layers: list[tuple[int, str]]) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [
            {"mediaType": OCI_LAYER, "digest": digest, "size": size} for size, digest in layers
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _write_layer(
    archive: tarfile.TarFile, source: Source, written: set[str], scratch: Path
) -> tuple[int, str]:
    """(bytes, digest) of a layer's plain tar: from its blob where there is one, else from its folder."""
    with tempfile.TemporaryFile(dir=scratch) as plain:
        if source.blob:
            with open(source.blob, "rb") as packed:
                shutil.copyfileobj(open_tar(packed), plain, 1 << 20)
        else:
            pack_layer(source.folder, plain)
        size = plain.tell()
        plain.seek(0)
        digest = f"sha256:{hashlib.file_digest(plain, 'sha256').hexdigest()}"
        if digest not in written:
            written.add(digest)
            plain.seek(0)
            entry = tarfile.TarInfo(f"blobs/sha256/{digest[7:]}")
            entry.size = size
            archive.addfile(entry, plain)
        return size, digest


def _write_blob(archive: tarfile.TarFile, content: bytes, written: set[str]) -> None:
    digest = digest_of(content)
    if digest not in written:
        written.add(digest)
        _write(archive, f"blobs/sha256/{digest[7:]}", content)


def _write(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def find_images(archive: tarfile.TarFile) -> list[Incoming]:
    """The images of a tar. Raises InvalidRequestError for one that is neither layout."""
    names = set(archive.getnames())
    if "manifest.json" in names:
        return [
            Incoming(
                _read(archive, str(entry["Config"])),
                tuple(str(layer) for layer in entry["Layers"]),
                tuple(entry.get("RepoTags") or ()),
            )
            for entry in _json(archive, "manifest.json")
        ]
    if "index.json" in names:
        return [_from_oci(archive, entry) for entry in _json(archive, "index.json")["manifests"]]
    raise InvalidRequestError(
        "the archive is no image: it has neither manifest.json nor index.json",
        hint="for a root file system use import",
    )


def _from_oci(archive: tarfile.TarFile, entry: dict[str, Any]) -> Incoming:
    manifest = _json(archive, _blob(entry["digest"]))
    if "manifests" in manifest:
        return _from_oci(archive, manifest["manifests"][0])
    notes = entry.get("annotations") or {}
    name = notes.get("io.containerd.image.name") or notes.get("org.opencontainers.image.ref.name")
    return Incoming(
        _read(archive, _blob(manifest["config"]["digest"])),
        tuple(_blob(layer["digest"]) for layer in manifest["layers"]),
        (name,) if name and ":" in name else (),
    )


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _json(archive: tarfile.TarFile, name: str) -> Any:
    try:
        return json.loads(_read(archive, name))
    except ValueError as error:
        raise InvalidRequestError(f"the archive's {name} is no JSON") from error


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    stream = open_member(archive, name)
    content = stream.read(CONFIG_LIMIT + 1)
    if len(content) > CONFIG_LIMIT:
        raise InvalidRequestError(f"the archive's {name} is too large")
    return content


def open_member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """A regular member's bytes. Raises InvalidRequestError if there is none of that name."""
    try:
        stream = archive.extractfile(name)
    except KeyError as error:
        raise InvalidRequestError(f"the archive lacks {name}") from error
    if stream is None:
        raise InvalidRequestError(f"the archive's {name} is no regular file")
    return stream
