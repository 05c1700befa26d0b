"""What an engine has of a project, as values: one snapshot, taken once. No I/O, no Docker."""

from __future__ import annotations

from collections.abc import Mapping

from compose.model.record import EMPTY, Record


class ObservedMount(Record):
    """One mount of a container. `name` is a volume's, "" for binds."""

    type: str
    target: str
    name: str = ""
    source: str = ""
    read_only: bool = False


class ObservedContainer(Record):
    """One container as the engine lists it; `health` is "" where there is no health check."""

    id: str
    name: str
    service: str = ""
    number: int = 0
    oneoff: bool = False
    state: str = "created"
    health: str = ""
    exit_code: int | None = None
    image: str = ""
    image_id: str = ""
    created: int = 0
    network_mode: str = ""
    networks: Mapping[str, str] = EMPTY  # name -> id
    mounts: tuple[ObservedMount, ...] = ()
    labels: Mapping[str, str] = EMPTY

    @property
    def is_running(self) -> bool:
        """Whether its process lives; one that waits to be restarted counts."""
        return self.state in ("running", "restarting", "paused")


class ObservedNetwork(Record):
    """A network of that name or of the project."""

    id: str
    name: str
    labels: Mapping[str, str] = EMPTY


class ObservedVolume(Record):
    """A volume of that name or of the project."""

    name: str
    labels: Mapping[str, str] = EMPTY


class ObservedImage(Record):
    """A local image: its id, where it declares volumes, when it was last tagged (RFC 3339)."""

    id: str
    volumes: tuple[str, ...] = ()
    tagged: str = ""


class Observed(Record):
    """All of it. `images` is keyed by the reference asked for; one not there has no entry."""

    containers: tuple[ObservedContainer, ...] = ()
    networks: tuple[ObservedNetwork, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    images: Mapping[str, ObservedImage] = EMPTY
