"""A bootstrapped archive as an image: its config, and both as `docker load` takes them. Pure but for reading.

The config has nothing in it but what the recipe says, so the image's id is the recipe's and the
packages': two runs that got the same packages made the same image.
"""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.operations.bootstrap import Archive, Recipe

#: What every official image has.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Debian's names of architectures that registries call otherwise.
GO_NAMES = {"armhf": "arm", "i386": "386"}


def image_config(recipe: Recipe, diff_id: str) -> bytes:
    """The config of the image whose one layer is the archive: the same for the same recipe. Pure."""
    made = datetime.fromtimestamp(recipe.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    how = f"bootstrapped from {recipe.distribution} {recipe.suite} {recipe.digest[:16]}"
    document = {
        "architecture": GO_NAMES.get(recipe.architecture, recipe.architecture),
        "os": "linux",
        "created": made,
        "comment": how,
        "config": {"Cmd": ["bash"], "Env": [f"PATH={PATH}"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": made, "created_by": f"pycompose image bootstrap # {how}"}],
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def docker_archive(archive: Archive, config: bytes) -> Iterator[bytes]:
    """The image as `docker load` takes it, a piece at a time."""
    size = archive.path.stat().st_size
    manifest = [
        {
            "Config": "config.json",
            "RepoTags": [f"{archive.repository}:{archive.tag}"],
            "Layers": ["layer.tar"],
        }
    ]
    for name, content in (
        ("config.json", config),
        ("manifest.json", json.dumps(manifest).encode()),
    ):
        yield _head(name, len(content)) + content + bytes(-len(content) % tarfile.BLOCKSIZE)
    yield _head("layer.tar", size)
    with archive.path.open("rb") as file:
        while piece := file.read(1 << 18):
            yield piece
    yield bytes(-size % tarfile.BLOCKSIZE) + bytes(2 * tarfile.BLOCKSIZE)


def _head(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.PAX_FORMAT)
