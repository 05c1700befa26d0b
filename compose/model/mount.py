"""What is mounted into a container. Sizes are bytes."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal


class Mount(Record):
    """One entry of volumes. `source` of a volume is the key in the project's volumes, "" anonymous."""

    type: Literal["volume", "bind", "tmpfs", "npipe", "cluster", "image"]
    target: str
    source: str = ""
    read_only: bool = False
    consistency: str = ""
    bind_propagation: str = ""
    bind_create_host_path: bool = False
    bind_recursive: str = ""
    bind_selinux: str = ""
    bind_map_owner: bool = False  # x-map-owner, ours: its owner is, inside, the container's user
    volume_nocopy: bool = False
    volume_subpath: str = ""
    volume_labels: Mapping[str, str] = EMPTY
    tmpfs_size: int | None = None
    tmpfs_mode: int | None = None
    image_subpath: str = ""
