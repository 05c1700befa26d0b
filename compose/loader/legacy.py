"""The layout of version 1, from before 2016: services at the top level, nothing else. Pure.

docker compose refuses it; many a book has it, so it is read as what it meant, with a word on how to
write it today. Source: the Compose file format version 1 of docker-compose 1.5.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


NOTE = (
    "this is the layout of version 1, which docker compose refuses: write `services:` as the first line,"
    " and indent the rest by two blanks"
)
_TOP = frozenset(
    (
        "name",
        "version",
        "services",
        "networks",
        "volumes",
        "secrets",
        "configs",
        "include",
        "models",
    )
)


def is_legacy(tree: Any) -> bool:
    """Whether it is nothing but services, each with an image, a build or what it extends."""
    return (
        isinstance(tree, dict)
        and bool(tree)
        and not any(key in _TOP or key.startswith("x-") for key in tree)
        and all(
            isinstance(service, dict) and {"image", "build", "extends"} & service.keys()
            for service in tree.values()
        )
    )


def migrated(tree: dict[str, Any]) -> dict[str, Any]:
    """The same in today's layout, with today's names of attributes."""
    services = {name: _service(service) for name, service in tree.items()}
    volumes = {
        source: {"name": source}
        for service in services.values()
        for source in _named_volumes(service.get("volumes"))
    }
    return {"services": services, **({"volumes": volumes} if volumes else {})}


def _service(given: dict[str, Any]) -> dict[str, Any]:
    service = dict(given)
    dockerfile = service.pop("dockerfile", None)
    if dockerfile is not None:
        build = service.get("build", ".")
        service["build"] = {"context": build, "dockerfile": dockerfile}
    net = service.pop("net", None)
    if isinstance(net, str):
        other = net.removeprefix("container:")
        service["network_mode"] = f"service:{other}" if other != net else net
    driver, options = service.pop("log_driver", None), service.pop("log_opt", None)
    if driver is not None or options is not None:
        parts = {"driver": driver, "options": options}
        service["logging"] = {key: part for key, part in parts.items() if part is not None}
    return service


def _named_volumes(volumes: Any) -> list[str]:
    """What version 1 made without being told: volumes of these very names."""
    sources = [
        entry.partition(":")[0]
        for entry in (volumes if isinstance(volumes, list) else ())
        if isinstance(entry, str) and ":" in entry
    ]
    return [
        source for source in sources if source and source[0] not in "./~$\\" and len(source) > 1
    ]
