"""A stage between two instructions: its layers, its config, its history; and how one becomes an image.

Rules: a snapshot is never changed; instructions that touch the config alone make no layer and cost
nothing; times come from the layers (or SOURCE_DATE_EPOCH), so the same layers give the same image.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.images.model import Image
from engine.images.registry.manifest import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.build.metadata import Config
    from engine.images.model import Layer
    from engine.images.registry.manifest import Platform

#: What an image keeps of the one it stands on.
KEPT = ("architecture", "os", "variant", "author", "os.version", "os.features")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`chain` names the file system, "" for an empty one; `created` is when it was last changed.

    The first `inherited` entries of the history are the base image's.
    """

    layers: tuple[Layer, ...] = ()
    chain: str = ""
    config: Config = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    created: str = ""
    inherited: int = 0
    kept: Mapping[str, Any] = field(default_factory=dict)

    def with_config(self, config: Config, created_by: str) -> Snapshot:
        """After an instruction that changed the config alone."""
        entry = {"created_by": created_by, "empty_layer": True}
        return replace(self, config=config, history=(*self.history, entry))

    def with_layer(self, layer: Layer, created_by: str, created: str) -> Snapshot:
        """After an instruction that changed files."""
        chain = chained(self.chain, layer.diff_id)
        entry = {"created": created, "created_by": created_by}
        return replace(
            self, layers=(*self.layers, layer), chain=chain, created=created,
            history=(*self.history, entry),
        )  # fmt: skip

    @property
    def chains(self) -> tuple[str, ...]:
        """The names of all its layers on top of each other, the lowest first."""
        return Image("", {}, self.layers).chain_ids

    def document(self, platform: Platform, created: str) -> dict[str, Any]:
        """The image's whole config. Entries of the history without a time get the one before, or
        `created`."""
        history, moment = [dict(entry) for entry in self.history[: self.inherited]], ""
        author = {"author": self.kept["author"]} if self.kept.get("author") else {}
        for entry in self.history[self.inherited :]:
            moment = str(entry.get("created") or moment or created)
            history.append({**entry, **author, "created": moment, "comment": "pycompose"})
        return {
            "architecture": platform.architecture,
            "os": platform.os,
            **({"variant": platform.variant} if platform.variant else {}),
            **self.kept,
            "created": created,
            "config": {key: value for key, value in self.config.items() if value is not None},
            "history": history,
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
        }


def snapshot_of(image: Image) -> Snapshot:
    """Where a stage begins that stands on an image."""
    document = image.document
    history = tuple(document.get("history") or ())
    return Snapshot(
        image.layers, image.chain_ids[-1] if image.layers else "", image.config, history,
        str(document.get("created") or ""), len(history),
        {key: document[key] for key in KEPT if document.get(key)},
    )  # fmt: skip


def chained(below: str, diff_id: str) -> str:
    """The chain id of a layer on top of another (OCI image-spec)."""
    return digest_of(f"{below} {diff_id}".encode()) if below else diff_id


def timestamp(ns: int) -> str:
    """RFC 3339 with nanoseconds."""
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"


def clamp_times(folder: Path, epoch: int) -> None:
    """Nothing below a folder is newer than `epoch` (seconds since 1970). Blocking."""
    limit = epoch * 10**9
    for _, folders, files, fd in os.fwalk(folder, topdown=False):
        for name in (*folders, *files):
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if status.st_mtime_ns > limit:
                os.utime(name, ns=(limit, limit), dir_fd=fd, follow_symlinks=False)
