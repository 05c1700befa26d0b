"""Handler of GET /events: the past since `since`, then what comes, until `until`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import trio

from engine.api.container_filters import has_label
from engine.containers.logs import parse_time
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from engine.api.engine import Engine
    from engine.api.exchange import Exchange
    from engine.events.bus import Event

#: Filters by a kind of object's name or id.
KINDS = (
    "container", "image", "network", "volume", "plugin", "service", "node", "secret", "config", "daemon",
)  # fmt: skip
FILTERS = (*KINDS, "type", "event", "label", "scope")


async def events(engine: Engine, exchange: Exchange) -> None:
    """GET /events. A reader that falls too far behind is let go: its stream ends."""
    request = exchange.request
    filters = request.filters()
    for key in filters:
        if key not in FILTERS:
            raise InvalidRequestError(f"invalid filter '{key}'")
    now = time.time_ns()
    since = parse_time(request.text("since"), now)
    until = parse_time(request.text("until"), now)
    if since is not None and until is not None and since > until:
        raise InvalidRequestError("`since` time cannot be after `until` time")
    with engine.events.subscribe() as coming:
        past = engine.events.history(since, until) if since is not None else []
        async with exchange.stream() as body:
            last = 0
            for event in past:
                last = event.time_ns
                if wanted(event, filters):
                    await body.send_json(event_json(event))
            seconds = float("inf") if until is None else max((until - time.time_ns()) / 1e9, 0)
            with trio.move_on_after(seconds):
                async for event in coming:
                    if event.time_ns > last and wanted(event, filters):
                        await body.send_json(event_json(event))


def event_json(event: Event) -> dict[str, Any]:
    """Docker's document of an event."""
    document: dict[str, Any] = {}
    if event.kind in ("container", "image"):
        document = {"status": event.action, "id": event.actor_id}
        if event.kind == "container":
            document["from"] = event.attributes.get("image", "")
    return document | {
        "Type": event.kind,
        "Action": event.action,
        "Actor": {"ID": event.actor_id, "Attributes": dict(event.attributes)},
        "scope": "local",
        "time": event.time_ns // 1_000_000_000,
        "timeNano": event.time_ns,
    }


def wanted(event: Event, filters: dict[str, list[str]]) -> bool:
    """Whether an event passes: of each filter any value, of labels all. Pure."""
    return all(_fits(event, key, values) for key, values in filters.items() if values)


def _fits(event: Event, key: str, values: list[str]) -> bool:
    if key == "type":
        return event.kind in values
    if key == "event":
        return any(event.action == v or event.action.startswith(f"{v}:") for v in values)
    if key == "label":
        return all(has_label(dict(event.attributes), value) for value in values)
    if key == "scope":
        return "local" in values
    if key == "image":
        return _of_image(event, values)
    if event.kind != key:
        return False
    name = event.attributes.get("name", "")
    return any(v == name or event.actor_id.startswith(v) for v in values)


def _of_image(event: Event, values: list[str]) -> bool:
    """Of the image itself, or of a container that was made from it."""
    if event.kind not in ("image", "container"):
        return False
    name = event.attributes.get("image" if event.kind == "container" else "name", "")
    bare = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    return any(value in (event.actor_id, name, bare) for value in values)
