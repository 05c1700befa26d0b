"""Phase 6, continued: rules of the specification that a schema cannot say. Pure."""

from __future__ import annotations

from compose.loader.ports import is_address
from compose.loader.tree import FaultError, raise_all, rewrite, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Path = tuple[str | int, ...]


def check(tree: Any) -> None:
    """Raises FaultError for the rules that the tree breaks."""
    faults: list[FaultError] = []

    def apply(action: Callable[[Any, Path], None], value: Any, path: Path) -> Any:
        try:
            action(value, path)
        except FaultError as fault:
            faults.append(fault)
        return value

    rewrite(tree, _CHECKS, (), apply)
    raise_all(faults)


def _volume(value: Any, path: Path) -> None:
    if not isinstance(value, dict) or value.get("external") is not True:
        return
    for key in value:
        if key not in {"name", "external"} and not key.startswith("x-"):
            raise FaultError((*path, key), "an external volume takes no other attribute: remove it")


def _one_of(*sources: str) -> Callable[[Any, Path], None]:
    def one(value: Any, path: Path) -> None:
        given = [source for source in sources if source in (value or {})]
        if len(given) > 1:
            raise FaultError(path, f"{' and '.join(given)} are mutually exclusive: keep one")
        if not given and not {"driver", "external"} & set(value or {}):
            raise FaultError(
                path,
                f"one of {', '.join(sources)} must be set: add one",
                *((*path, name) for name in (*sources, "driver", "external")),
            )

    return one


def _port(value: Any, path: Path) -> None:
    if isinstance(value, dict) and "host_ip" in value and not is_address(str(value["host_ip"])):
        raise FaultError(
            (*path, "host_ip"),
            f"invalid IP address {value['host_ip']!r}: give an address of this host",
        )


def _watched(value: Any, path: Path) -> None:
    if value == "":
        raise FaultError(path, "the path can't be blank: say what to watch")


def _device(value: Any, path: Path) -> None:
    if isinstance(value, dict) and "count" in value and "device_ids" in value:
        raise FaultError(path, "count and device_ids are mutually exclusive: keep one")


_CHECKS = table(
    {
        "volumes.*": _volume,
        "configs.*": _one_of("file", "environment", "content"),
        "secrets.*": _one_of("file", "environment"),
        "services.*.ports.*": _port,
        "services.*.develop.watch.*.path": _watched,
        "services.*.deploy.resources.reservations.devices.*": _device,
        "services.*.gpus.*": _device,
    }
)
