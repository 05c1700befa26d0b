"""Images as values: what a config says, typed; the raw document is kept for whoever shows it all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.images.registry.manifest import Platform, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """Docker's HEALTHCHECK; durations in nanoseconds, 0 for the default; `test` ("NONE",) for none."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0

    @classmethod
    def from_json(cls, document: dict[str, Any] | None) -> Healthcheck | None:
        """Docker's JSON form."""
        if not document:
            return None
        return cls(
            tuple(document.get("Test") or ()),
            int(document.get("Interval") or 0),
            int(document.get("Timeout") or 0),
            int(document.get("StartPeriod") or 0),
            int(document.get("StartInterval") or 0),
            int(document.get("Retries") or 0),
        )

    def to_json(self) -> dict[str, Any]:
        """The inverse of `from_json`; defaults are left out."""
        fields = {
            "Test": list(self.test),
            "Interval": self.interval,
            "Timeout": self.timeout,
            "StartPeriod": self.start_period,
            "StartInterval": self.start_interval,
            "Retries": self.retries,
        }
        return {key: value for key, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image: the tar's digest, and the blob it came as, "" for one built here."""

    diff_id: str
    blob: str = ""
    media_type: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Image:
    """A stored image. `document` is the whole config as in the OCI image-spec.

    `references` are its names with tags; `digests` those under which a registry has it (name@digest).
    `manifest` is the blob of the manifest it came with, "" if it came with none. `held` are names that
    stand for an index in which it is, and for another of its images.
    """

    id: str
    document: dict[str, Any]
    layers: tuple[Layer, ...]
    references: tuple[str, ...] = ()
    size: int = 0
    created_ns: int = 0
    parent: str = ""
    digests: tuple[str, ...] = ()
    manifest: str = ""
    manifest_type: str = ""
    tagged_ns: int = 0
    held: tuple[str, ...] = ()

    @property
    def platform(self) -> Platform:
        """What it is for, as its config says."""
        document = self.document
        return Platform(
            str(document.get("os") or "linux"),
            str(document.get("architecture") or ""),
            str(document.get("variant") or ""),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All that it can be asked for by, but for its id."""
        return (*self.references, *self.digests)

    @property
    def config(self) -> dict[str, Any]:
        """The execution defaults: Env, Cmd, Entrypoint ... in Docker's spelling."""
        config: dict[str, Any] = self.document.get("config") or {}
        return config

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The layers' tar digests, lowest first."""
        return tuple(layer.diff_id for layer in self.layers)

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """The identity of each layer on top of those below it, lowest first (OCI image-spec)."""
        return tuple(chain_ids(self.diff_ids))


def chain_ids(diff_ids: Iterable[str]) -> list[str]:
    """The identity of each layer on top of those below it, lowest first (OCI image-spec)."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(digest_of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def encode_config(document: dict[str, Any]) -> bytes:
    """A config's bytes, the same for the same content; their digest is the image's id."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def going_with(reference: str, image: Image) -> list[str]:
    """What an image loses with one of its names: with a repository's last tag, its digests too."""
    repository = _repository(reference)
    if any(_repository(tag) == repository for tag in image.references if tag != reference):
        return [reference]
    digests = (d for d in image.digests if d != reference and _repository(d) == repository)
    return [reference, *digests]


def _repository(reference: str) -> str:
    name, _, digest = reference.partition("@")
    return name if digest else name.rpartition(":")[0]
