"""What the loader is asked for: the global flags and the environment, as one value."""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class LoadRequest(Record):
    """What to load and how; "" and () are docker compose's defaults."""

    files: tuple[str, ...] = ()
    project_directory: str = ""
    project_name: str = ""
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    environment: Mapping[str, str] = EMPTY
    working_dir: str = ""
    services: tuple[str, ...] = ()
    interpolate: bool = True
    normalize: bool = True
    resolve_paths: bool = True
    consistency: bool = True
    resolve_environment: bool = True
    distinct_names: bool = True  # refuse two services with one container_name
    all_resources: bool = False
    compatibility: bool = False  # names of containers and images are joined with "_"
    fetch: Callable[[str], str] | None = None  # the local path of a file that lies elsewhere
