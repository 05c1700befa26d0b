"""`docker load`: the images in a tar of Docker's layout or OCI's, compressed or not, in one pass.

Rules: members are written to a folder as they come, each hashed, so nothing is held in memory and
the order in the tar does not matter; a blob must be what its name says, a layer must unpack to what
the config promises. Sources: OCI image-layout.md, Docker's image tar, skopeo's and podman's ways of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import tarfile
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

from engine.errors import HostLimitError, InvalidRequestError, NotSupportedError
from engine.images.compression import GZIP_MAGIC, ZSTD_MAGIC, open_tar
from engine.images.indexes import UNKNOWN
from engine.images.registry.manifest import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_LAYER,
    Descriptor,
    Index,
    Manifest,
    Platform,
    choose_manifest,
    parse_manifest,
)
from engine.images.unpack import BoundedEntry, contents

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 18
DOCUMENT_LIMIT = 8 << 20
MEMBER_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the tar, written down: where, and what it is."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """An image found in a tar: the config's bytes, its layers, lowest first, and their media types."""

    config: bytes
    layers: tuple[Member, ...]
    media_types: tuple[str, ...]
    names: tuple[str, ...] = ()
    manifest: tuple[bytes, str] | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class IncomingGroup:
    """What goes by one name or several: an image, or those of an index that are in the tar."""

    images: tuple[Incoming, ...]
    names: tuple[str, ...]
    index: Index | None = None


class Arrival:
    """The members of one tar, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._members: dict[str, Member] = {}
        self._links: dict[str, str] = {}

    def receive(self, raw: IO[bytes]) -> None:
        """Write down all that comes. Blocking. Raises InvalidRequestError, HostLimitError."""
        try:
            self._folder.mkdir(mode=0o700)
            with tarfile.open(
                fileobj=open_tar(raw, hashed=False), mode="r:", tarinfo=BoundedEntry
            ) as archive:
                for number, entry in enumerate(archive):
                    if number > MEMBER_LIMIT:
                        raise InvalidRequestError(f"the archive has over {MEMBER_LIMIT} files")
                    self._take(archive, entry, number)
        except (tarfile.TarError, ValueError, OverflowError) as error:
            raise InvalidRequestError(f"the archive is no sound tar: {error}") from error
        except OSError as error:
            raise HostLimitError(f"cannot keep the archive: {error.strerror}") from error

    def _take(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, number: int) -> None:
        name = posixpath.normpath(entry.name).lstrip("/")
        if entry.issym() or entry.islnk():
            base = posixpath.dirname(name) if entry.issym() else ""
            self._links[name] = posixpath.normpath(posixpath.join(base, entry.linkname))
            return
        if not entry.isfile():
            return
        path = self._folder / str(number)
        running = hashlib.sha256()
        with path.open("wb", buffering=0) as target:
            for chunk in contents(archive, entry):
                running.update(chunk)
                target.write(chunk)
        self._members[name] = Member(path, f"sha256:{running.hexdigest()}", entry.size)

    def images(self, own: Platform, wanted: Platform | None = None) -> list[IncomingGroup]:
        """What there is: of an index the platform that is `wanted`, else all that are in the tar.

        Raises InvalidRequestError, NotSupportedError for what is no image.
        """
        if "manifest.json" in self._members and not self._has_indexes():
            return [IncomingGroup((one,), one.names) for one in self._of_docker()]
        if "index.json" in self._members:
            return self._of_oci(self._index("index.json"), own, wanted)
        if "repositories" in self._members:
            raise NotSupportedError(
                "the archive is in the format of docker before 1.10, which is no longer read"
            )
        raise InvalidRequestError(
            "the archive is no image: it has neither manifest.json nor index.json",
            hint="for a root file system use import",
        )

    def _has_indexes(self) -> bool:
        """Whether the OCI layout beside Docker's list says more than the list can."""
        if "index.json" not in self._members:
            return False
        kinds = {entry.media_type for entry in self._index("index.json").manifests}
        return not kinds.isdisjoint((OCI_INDEX, DOCKER_LIST))

    def member(self, name: str) -> Member:
        """A file by its name. Raises InvalidRequestError if there is none."""
        name = posixpath.normpath(name)
        for _ in range(8):  # links to links
            found = self._members.get(name)
            if found:
                return found
            name = self._links.get(name, name)
        raise InvalidRequestError(f"the archive lacks {name}")

    def _of_docker(self) -> list[Incoming]:
        entries = self._json("manifest.json")
        try:
            found = []
            for entry in entries:
                layers = tuple(self._layer(str(name)) for name in entry["Layers"] or ())
                names = tuple(str(name) for name in entry.get("RepoTags") or ())
                config = self._bytes(str(entry["Config"]))
                kinds = tuple(map(media_type_of, layers))
                found.append(Incoming(config, layers, kinds, names))
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidRequestError("the archive's manifest.json is not Docker's") from error
        return [self._with_manifest(one) for one in found]

    def _with_manifest(self, one: Incoming) -> Incoming:
        """The manifest that an OCI layout beside Docker's has of the same config, if it is there."""
        if "index.json" not in self._members:
            return one
        for entry in self._index("index.json").manifests:
            try:
                found = self._manifest(entry.digest)
            except InvalidRequestError:
                continue
            digests = tuple(layer.digest for layer in one.layers)
            if (
                isinstance(found, Manifest)
                and found.config.digest == _digest(one.config)
                and digests == tuple(layer.digest for layer in found.layers)
            ):
                kinds = tuple(layer.media_type for layer in found.layers)
                manifest = (found.raw, found.media_type)
                return Incoming(one.config, one.layers, kinds, one.names, manifest)
        return one

    def _of_oci(self, top: Index, own: Platform, wanted: Platform | None) -> list[IncomingGroup]:
        notes = [entry.get("annotations") or {} for entry in self._json("index.json")["manifests"]]
        found: dict[str, IncomingGroup] = {}
        for entry, note in zip(top.manifests, notes, strict=True):
            if entry.platform and entry.platform.os == UNKNOWN:
                continue  # an attestation about an image, not one
            known = found.get(entry.digest)
            if known is None:
                known = self._group(self._manifest(entry.digest), own, wanted)
            names = (*known.names, *_names(note))
            found[entry.digest] = replace(known, names=tuple(dict.fromkeys(names)))
        return list(found.values())

    def _group(
        self, top: Manifest | Index, own: Platform, wanted: Platform | None
    ) -> IncomingGroup:
        if isinstance(top, Manifest):
            return IncomingGroup((self._incoming(top),), ())
        inner = self._there(top.manifests[0]) if len(top.manifests) == 1 else None
        if isinstance(inner, Index):
            return self._group(inner, own, wanted)
        if wanted is not None:
            chosen = [choose_manifest(top, wanted)]
        else:
            images = [one for one in top.manifests if one.platform and one.platform.os != UNKNOWN]
            chosen = images or list(top.manifests)
        there = [(one, self._there(one)) for one in chosen]
        members = [found for _, found in there if isinstance(found, Manifest)]
        if not members:
            missing = (wanted or own, chosen[0].digest if chosen else "any image")
            raise InvalidRequestError(f"the archive lacks, for {missing[0]}, {missing[1]}")
        return IncomingGroup(tuple(map(self._incoming, members)), (), top)

    def _there(self, entry: Descriptor) -> Manifest | Index | None:
        """A member of an index, None where the tar does not have it with all its layers.

        Docker and podman save an index with the platforms that they have.
        """
        if not self._has(entry):
            return None
        found = self._manifest(entry.digest)
        whole = isinstance(found, Index) or all(map(self._has, (found.config, *found.layers)))
        return found if whole else None

    def _has(self, entry: Descriptor) -> bool:
        return f"blobs/{entry.digest.replace(':', '/', 1)}" in self._members

    def _incoming(self, manifest: Manifest) -> Incoming:
        layers = tuple(self._blob(layer.digest) for layer in manifest.layers)
        config = self._bytes_of(self._blob(manifest.config.digest))
        kinds = tuple(layer.media_type for layer in manifest.layers)
        kept = (manifest.raw, manifest.media_type)
        return Incoming(config, layers, kinds, manifest=kept, digest=manifest.digest)

    def _manifest(self, digest: str) -> Manifest | Index:
        return parse_manifest(self._bytes_of(self._blob(digest)), "", digest)

    def _index(self, name: str) -> Index:
        parsed = parse_manifest(self._bytes(name), "")
        if not isinstance(parsed, Index):
            raise InvalidRequestError(f"the archive's {name} is no index")
        return parsed

    def _blob(self, digest: str) -> Member:
        member = self.member(f"blobs/{digest.replace(':', '/', 1)}")
        if member.digest != digest:
            raise InvalidRequestError(f"the archive's blob {digest} is something else")
        return member

    def _layer(self, name: str) -> Member:
        """A layer by its member; one that is named by a digest must have it."""
        if name.startswith("blobs/sha256/"):
            return self._blob(f"sha256:{posixpath.basename(name)}")
        return self.member(name)

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._bytes(name))
        except (ValueError, RecursionError) as error:
            raise InvalidRequestError(f"the archive's {name} is no JSON") from error

    def _bytes(self, name: str) -> bytes:
        return self._bytes_of(self.member(name))

    def _bytes_of(self, member: Member) -> bytes:
        if member.size > DOCUMENT_LIMIT:
            raise InvalidRequestError("the archive has a config or manifest that is too large")
        return member.path.read_bytes()


def media_type_of(member: Member) -> str:
    """A layer's media type by its first bytes."""
    fd = os.open(member.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.read(fd, 8)
    finally:
        os.close(fd)
    if head.startswith(GZIP_MAGIC):
        return f"{OCI_LAYER}+gzip"
    if head.startswith(ZSTD_MAGIC):
        return f"{OCI_LAYER}+zstd"
    return OCI_LAYER


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _names(note: dict[str, Any]) -> tuple[str, ...]:
    """The name in an entry's annotations; a bare tag names no image."""
    for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
        name = str(note.get(key) or "")
        if ":" in name.rpartition("/")[2] or "/" in name:
            return (name,)
    return ()
