"""A store of a test's own, with a puller; no engine runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from engine.events.bus import EventBus
from engine.images.pull import Puller
from engine.images.push import Pusher
from engine.images.registry.settings import RegistrySettings
from engine.images.store import Images
from engine.storage.database import Database
from engine.storage.paths import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.images.model import Image


@dataclass
class Store:
    """The images of one root folder, as an engine of its own would have them."""

    root: Path
    settings: RegistrySettings
    architecture: str = "amd64"

    def __post_init__(self) -> None:
        self.layout = Layout(self.root, self.root / "run")
        self.database = Database.open(self.layout.database)
        self.events = EventBus(self.database)
        self.images = Images(self.layout, self.database, self.events, self.settings.layer_limit)
        self.puller = Puller(self.images, self.events, self.architecture, self.settings)
        self.pusher = Pusher(self.images, self.events, self.settings)
        self.told: list[dict[str, Any]] = []

    async def report(self, message: dict[str, Any]) -> None:
        """Keep what is told."""
        self.told.append(message)

    async def pull(self, name: str, **more: Any) -> Image:
        """Pull, keeping what is told."""
        return await self.puller.pull(name, self.report, **more)

    def words(self, layer: str = "") -> list[str]:
        """The statuses, of one layer if it is named; each once."""
        found = [m.get("status", "") for m in self.told if not layer or m.get("id") == layer[7:19]]
        return list(dict.fromkeys(found))

    def content(self, image: Image, name: str) -> bytes:
        """A file of an image, from the topmost layer that has it."""
        for folder in self.images.lower_dirs(image):
            path = self.root.__class__(folder) / name
            if path.exists():
                return path.read_bytes()
        raise AssertionError(f"{name} is in no layer")

    def leftovers(self) -> list[str]:
        """What lies in scratch."""
        return sorted(path.name for path in self.layout.scratch.iterdir())

    def close(self) -> None:
        """Close the database."""
        self.database.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Impatient, so that a registry that hangs costs little."""
    made = Store(tmp_path / "store", RegistrySettings(silence=0.3, certificates=()))
    yield made
    made.close()
