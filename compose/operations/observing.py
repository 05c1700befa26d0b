"""`events`, `stats` and `wait`: what happens, told as it happens."""

from __future__ import annotations

from compose.engine_client import calls, object_calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.status import canonical_name
from compose.errors import ComposeError
from compose.model import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from compose.engine_client.blocking import BlockingClient
    from compose.operations.session import Session

    Row = dict[str, Any]


def events(
    session: Session, services: tuple[str, ...], since: str = "", until: str = ""
) -> Iterator[Row]:
    """`events`: each event of a container of the project, until `until` or for ever."""
    name = session.project_name()
    wanted = {"type": ["container"], "label": calls.project_filter(name)}
    stream = JsonStream()
    with session.client() as client:
        for piece in client.stream(calls.stream_events(wanted, since, until)):
            for event in stream.feed(piece):
                row = event_row(event)
                if row is not None and (not services or row["service"] in services):
                    yield row


def engine_events(
    session: Session, filters: dict[str, list[str]], since: str = "", until: str = ""
) -> Iterator[Row]:
    """`system events`: the engine's events as it tells them."""
    stream = JsonStream()
    with session.client() as client:
        for piece in client.stream(calls.stream_events(filters, since, until)):
            yield from stream.feed(piece)


def event_row(event: Row) -> Row | None:
    """An event with what it is about; None for one of a one-off run."""
    actor = event.get("Actor") or {}
    own = actor.get("Attributes") or {}
    if event.get("Type") != "container" or own.get(labels.ONEOFF) == "True":
        return None
    return {
        "nanos": event.get("timeNano") or event.get("time", 0) * 10**9,
        "service": own.get(labels.SERVICE, ""),
        "id": actor.get("ID", ""),
        "action": event.get("Action", ""),
        "attributes": {
            key: value for key, value in own.items() if not key.startswith(labels.PREFIX)
        },
    }


def stats(session: Session, services: tuple[str, ...], *, everything: bool) -> list[Row]:
    """`stats`: one sample of each container, all taken at once; it takes the engine a second or two."""
    name = session.project_name()
    with session.client() as client:
        items = client.do(calls.list_containers(name, everything=everything)).json() or []
        items = [
            one for one in items if not services or one["Labels"].get(labels.SERVICE) in services
        ]
        return samples(client, items)


def stats_of(session: Session, refs: tuple[str, ...], *, everything: bool) -> list[Row]:
    """`container stats`: the same of these containers, or of all of the engine."""
    with session.client() as client:
        if refs:
            found = client.do_all([calls.inspect_container(ref) for ref in refs])
            items = [
                {"Id": one.json()["Id"], "Names": [one.json()["Name"]], "Ref": ref}
                for ref, one in zip(refs, found, strict=True)
            ]
        else:
            call = object_calls.list_containers({}, everything=everything)
            items = client.do(call).json() or []
        return samples(client, items)


def samples(client: BlockingClient, items: list[Row]) -> list[Row]:
    """A sample of each, by name."""
    items.sort(key=lambda item: canonical_name(item["Names"]))
    answers = client.do_all([calls.stats_container(item["Id"], stream=False) for item in items])
    return [
        {
            "ID": item["Id"],
            "Name": canonical_name(item["Names"]),
            "Container": item.get("Ref", item["Id"]),
            **usage(answer.json()),
        }
        for item, answer in zip(items, answers, strict=True)
    ]


def usage(sample: Row) -> Row:
    """The figures of a sample. Pure."""
    memory = sample.get("memory_stats") or {}
    inside = memory.get("stats") or {}
    # What the page cache could give back is not counted, as docker's own client has it.
    cache = inside.get("total_inactive_file", inside.get("inactive_file", 0))
    used = memory.get("usage", 0)
    networks = (sample.get("networks") or {}).values()
    disk = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return {
        "cpu": cpu_percent(sample),
        "memory": used - cache if cache < used else used,
        "limit": memory.get("limit", 0),
        "received": sum(one.get("rx_bytes", 0) for one in networks),
        "sent": sum(one.get("tx_bytes", 0) for one in networks),
        "read": sum(one["value"] for one in disk if one["op"].lower() == "read"),
        "written": sum(one["value"] for one in disk if one["op"].lower() == "write"),
        "pids": (sample.get("pids_stats") or {}).get("current", 0),
    }


def cpu_percent(sample: Row) -> float:
    """Of one CPU, between the sample and the one before it."""
    now, before = sample.get("cpu_stats") or {}, sample.get("precpu_stats") or {}
    spent = (now.get("cpu_usage") or {}).get("total_usage", 0) - (
        before.get("cpu_usage") or {}
    ).get("total_usage", 0)
    passed = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    if spent <= 0 or passed <= 0:
        return 0.0
    cpus = now.get("online_cpus") or len((now.get("cpu_usage") or {}).get("percpu_usage") or [1])
    return float(spent / passed * cpus * 100)


def wait(session: Session, services: tuple[str, ...], tell: Callable[[str, int], None]) -> int:
    """`wait`: until all of those services' containers have ended; the exit code of the last to end."""
    name = session.project_name()
    code = 0
    with session.client() as client:
        items = client.do(calls.list_containers(name, everything=False, oneoff=False)).json() or []
        items = [one for one in items if one["Labels"].get(labels.SERVICE) in services]
        if not items:
            raise ComposeError(f'no containers for project "{name}": start {", ".join(services)}')
        waiting = [client.begin(calls.wait_container(item["Id"])) for item in items]
        ids = {one.connection: item["Id"] for one, item in zip(waiting, items, strict=True)}
        for pending, answer in client.finish_each(waiting):
            code = int(answer.json().get("StatusCode") or 0)
            tell(ids[pending.connection], code)
    return code
