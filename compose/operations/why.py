"""`why`: all that is known of why a service is as it is, gathered in one place.

State and exit, restarts, what it waits for, the last probes, events and lines. It asks and changes
nothing.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls
from compose.engine_client.json_stream import JsonStream
from compose.engine_client.payloads.observed import container_from_list
from compose.errors import EngineRefusedError, ProjectError
from compose.model.record import Record
from compose.operations.log_source import LogLines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from compose.engine_client.blocking import BlockingClient
    from compose.model.observed import ObservedContainer
    from compose.model.project import Project
    from compose.operations.session import Session

PROBES, EVENTS, LINES = 3, 8, 10
#: Events that say nothing about the service itself.
NOISE = ("exec_create", "exec_start", "exec_die", "attach", "resize", "top", "archive-path", "commit", "copy", "export")  # fmt: skip


class Finding(Record):
    """What is known of one container; `reasons` are sentences, the most telling first."""

    service: str
    name: str
    state: str
    reasons: tuple[str, ...]
    probes: tuple[tuple[str, int, str], ...] = ()  # when, exit code, output
    events: tuple[tuple[float, str], ...] = ()  # seconds since 1970, what
    lines: tuple[str, ...] = ()


def why(session: Session, service: str, lines: int = LINES) -> list[Finding]:
    """A finding for each container of the service. Raises ProjectError, ComposeError."""
    project, name = session.project_or_name()
    known = {**project.services, **project.disabled} if project is not None else {}
    if project is not None and service not in known:
        raise ProjectError(f"no such service: {service}")
    with session.client(read_only=True) as client:
        items = client.do(calls.list_containers(name, oneoff=False)).json() or []
        there = [container_from_list(item) for item in items]
        own = sorted((one for one in there if one.service == service), key=lambda one: one.number)
        if not own:
            return [Finding(service, "", "absent", tuple(why_absent(project, service)))]
        events = events_of(client, [one.id for one in own])
        return [finding(client, project, one, there, events.get(one.id, []), lines) for one in own]


def why_absent(project: Project | None, service: str) -> list[str]:
    """Why there is no container. Pure."""
    if project is not None and service in project.disabled:
        profiles = ", ".join(project.disabled[service].profiles)
        return [f"it belongs to profiles that are not active: start it with --profile ({profiles})"]
    if project is not None and not project.services[service].replicas:
        return ["it is scaled to 0: start it with 'pycompose up --scale'"]
    return ["it has no container: it was never created, or has been removed: run 'pycompose up'"]


def finding(
    client: BlockingClient,
    project: Project | None,
    container: ObservedContainer,
    there: Sequence[ObservedContainer],
    events: list[tuple[float, str]],
    lines: int,
) -> Finding:
    """All about one container."""
    inspected, log = _ask(client, container.id, lines)
    state = inspected.get("State") or {}
    reasons = [*state_reasons(inspected), *waiting_reasons(project, container, there)]
    health = state.get("Health") or {}
    probes = [
        (str(one.get("End") or one.get("Start", "")), int(one.get("ExitCode") or 0), str(one.get("Output", "")).strip())
        for one in (health.get("Log") or [])[-PROBES:]
    ]  # fmt: skip
    return Finding(
        container.service, container.name, str(state.get("Status", container.state)),
        tuple(reasons), tuple(probes), tuple(events[-EVENTS:]), tuple(log),
    )  # fmt: skip


def _ask(client: BlockingClient, ref: str, lines: int) -> tuple[dict[str, Any], list[str]]:
    inspected = client.do(calls.inspect_container(ref)).json()
    try:
        answer = client.do(calls.read_logs(ref, tail=str(lines)))
    except EngineRefusedError as error:
        return inspected, [f"(its log cannot be read: {error})"]
    log = LogLines(tty=bool(inspected["Config"]["Tty"]))
    return inspected, [text for _, text in (*log.feed(answer.body), *log.flush())][-lines:]


def state_reasons(inspected: Mapping[str, Any]) -> list[str]:
    """Sentences about how it is and how it came to that. Pure."""
    state = inspected.get("State") or {}
    host = inspected.get("HostConfig") or {}
    status, code = state.get("Status", ""), int(state.get("ExitCode") or 0)
    found: list[str] = []
    if state.get("OOMKilled"):
        limit = host.get("Memory") or 0
        allowed = f" (its limit is {limit / (1 << 20):.0f} MiB)" if limit else ""
        found.append(f"the kernel killed it: out of memory{allowed}")
    if state.get("Error"):
        found.append(f"it could not be started: {state['Error']}")
    if status in ("exited", "dead", "restarting"):
        found.append(f"it ended with exit code {code}: {exit_words(code)}")
    elif status == "created":
        found.append("it was created and never started")
    elif status == "paused":
        found.append("it is paused: 'pycompose unpause' lets it go on")
    restarts = int(inspected.get("RestartCount") or 0)
    if restarts:
        policy = (host.get("RestartPolicy") or {}).get("Name", "")
        found.append(f"it was restarted {restarts} times by its policy ({policy})")
    found += health_reasons(state.get("Health") or {}, status)
    return found or [f"it is {status}"]


def health_reasons(health: Mapping[str, Any], status: str) -> list[str]:
    """What the health check says of a container that runs. Pure."""
    if not health or status != "running":
        return []
    streak = int(health.get("FailingStreak") or 0)
    if health.get("Status") == "healthy":
        return ["it runs and is healthy"]
    word = "it is unhealthy" if health.get("Status") == "unhealthy" else "it is not healthy yet"
    return [f"{word}: {streak} probes in a row have failed" if streak else f"{word}: no probe yet"]


def exit_words(code: int) -> str:
    """What an exit code usually means. Pure."""
    if code == 0:
        return "success"
    known = {
        125: "the engine could not start it",
        126: "its program cannot be run (permission, or no program)",
        127: "its program was not found",
    }
    if code in known:
        return known[code]
    if code > 128:
        try:
            return f"ended by {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return "its program says that it failed"


def waiting_reasons(
    project: Project | None, container: ObservedContainer, there: Sequence[ObservedContainer]
) -> list[str]:
    """Which dependencies are not as they should be. Pure."""
    if project is None or container.service not in project.services:
        return []
    found: list[str] = []
    for name, need in project.services[container.service].depends_on.items():
        peers = [one for one in there if one.service == name and not one.oneoff]
        bad = [one for one in peers if not is_met(need.condition, one)]
        if not peers:
            found.append(f"it depends on {name} ({need.condition}), which has no container")
        found += [
            f"it depends on {name} ({need.condition}), but {one.name} is {described(one)}: "
            f"see 'pycompose why {name}'"
            for one in bad
        ]
    return found


def is_met(condition: str, one: ObservedContainer) -> bool:
    """Whether a container is what a condition asks for. Pure."""
    if condition == "service_completed_successfully":
        return one.state == "exited" and one.exit_code == 0
    if condition == "service_healthy":
        return one.state == "running" and one.health == "healthy"
    return one.is_running


def described(one: ObservedContainer) -> str:
    """A container's state in a word or two. Pure."""
    if one.state == "running":
        return one.health or "running"
    return f"{one.state} ({one.exit_code})" if one.exit_code is not None else one.state


def events_of(client: BlockingClient, ids: Sequence[str]) -> dict[str, list[tuple[float, str]]]:
    """The events that the engine remembers of each of these containers."""
    found: dict[str, list[tuple[float, str]]] = {}
    wanted = {"type": ["container"], "container": list(ids)}
    now = f"{time.time():.9f}"
    stream = JsonStream()
    for piece in client.stream(calls.stream_events(wanted, since="1", until=now)):
        for event in stream.feed(piece):
            actor = event.get("Actor") or {}
            action = str(event.get("Action", ""))
            if action.partition(":")[0] in NOISE:
                continue
            code = (actor.get("Attributes") or {}).get("exitCode")
            text = f"{action} (exit code {code})" if action == "die" and code else action
            moment = (event.get("timeNano") or event.get("time", 0) * 10**9) / 1e9
            found.setdefault(actor.get("ID", ""), []).append((moment, text))
    return found
