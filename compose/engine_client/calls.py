"""The calls of the Engine API that pycompose makes. Pure: each function returns a Call.

"Already so" is a success: stopping what is stopped is 304, removing what is gone is accepted.
"""

from __future__ import annotations

import json

from compose.engine_client.call import Call, encode_filters, json_call
from compose.model import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

PING = Call("GET", "/_ping", versioned=False)
VERSION = Call("GET", "/version")


def project_filter(project: str, *more: str) -> list[str]:
    """Label filters for what belongs to a project; all projects for ""."""
    return [f"{labels.PROJECT}={project}" if project else labels.PROJECT, *more]


def list_containers(
    project: str, *, everything: bool = True, oneoff: bool | None = None, more: Iterable[str] = ()
) -> Call:
    """The project's containers, stopped ones too if `everything`; one-off ones, others, or both."""
    wanted = project_filter(project, *more)
    if oneoff is not None:
        wanted.append(f"{labels.ONEOFF}={oneoff}")
    query = encode_filters(label=wanted)
    return Call("GET", "/containers/json", {"all": "1", **query} if everything else query)


def inspect_container(ref: str) -> Call:
    """All about one container."""
    return Call("GET", f"/containers/{ref}/json")


def create_container(name: str, body: Any, platform: str = "") -> Call:
    """Create; the answer has Id and Warnings."""
    query = {"name": name} if name else {}
    if platform:
        query["platform"] = platform
    return json_call("POST", "/containers/create", body, query)


def start_container(ref: str) -> Call:
    """Start; started already is fine."""
    return Call("POST", f"/containers/{ref}/start")


def stop_container(ref: str, timeout: int | None = None) -> Call:
    """Stop with the container's own signal and grace, or `timeout` seconds; -1 waits for ever."""
    return Call(
        "POST",
        f"/containers/{ref}/stop",
        {} if timeout is None else {"t": str(timeout)},
        accept=(404,),
    )


def restart_container(ref: str, timeout: int | None = None) -> Call:
    """Stop and start."""
    return Call(
        "POST", f"/containers/{ref}/restart", {} if timeout is None else {"t": str(timeout)}
    )


def kill_container(ref: str, signal: str = "SIGKILL") -> Call:
    """Send a signal. A container that is not running is a conflict (409)."""
    return Call("POST", f"/containers/{ref}/kill", {"signal": signal})


def pause_container(ref: str) -> Call:
    """Freeze all processes."""
    return Call("POST", f"/containers/{ref}/pause")


def unpause_container(ref: str) -> Call:
    """Thaw them."""
    return Call("POST", f"/containers/{ref}/unpause")


def remove_container(ref: str, *, volumes: bool = False, force: bool = False) -> Call:
    """Remove; gone already, or being removed by another, is fine."""
    query = {key: "1" for key, wanted in (("v", volumes), ("force", force)) if wanted}
    return Call("DELETE", f"/containers/{ref}", query, accept=(404, 409) if force else (404,))


def rename_container(ref: str, name: str) -> Call:
    """Give another name."""
    return Call("POST", f"/containers/{ref}/rename", {"name": name})


def wait_container(ref: str, condition: str = "not-running") -> Call:
    """Answers when the condition holds, with StatusCode."""
    return Call("POST", f"/containers/{ref}/wait", {"condition": condition})


def resize_container(ref: str, height: int, width: int) -> Call:
    """Tell a container's terminal its size."""
    return Call("POST", f"/containers/{ref}/resize", {"h": str(height), "w": str(width)})


def top_container(ref: str) -> Call:
    """Its processes, as ps prints them."""
    return Call("GET", f"/containers/{ref}/top")


def stats_container(ref: str, *, stream: bool) -> Call:
    """Resource usage, one JSON object a sample."""
    return Call("GET", f"/containers/{ref}/stats", {"stream": "1" if stream else "0"})


def read_logs(
    ref: str,
    *,
    follow: bool = False,
    since: str = "",
    until: str = "",
    tail: str = "",
    timestamps: bool = False,
    details: bool = False,
) -> Call:
    """The log of stdout and stderr, in stream frames unless the container has a terminal."""
    query = {"stdout": "1", "stderr": "1"}
    query |= {"details": "1"} if details else {}
    query |= {"follow": "1"} if follow else {}
    query |= {"timestamps": "1"} if timestamps else {}
    given = {"since": since, "until": until, "tail": tail}
    return Call("GET", f"/containers/{ref}/logs", query | {k: v for k, v in given.items() if v})


def attach_container(
    ref: str, *, stdin: bool, stdout: bool = True, stderr: bool = True, detach_keys: str = ""
) -> Call:
    """Take over a connection to the container's streams."""
    wanted = {"stream": True, "stdin": stdin, "stdout": stdout, "stderr": stderr}
    query = {key: "1" for key, value in wanted.items() if value}
    query |= {"detachKeys": detach_keys} if detach_keys else {}
    return Call("POST", f"/containers/{ref}/attach", query)


def export_container(ref: str) -> Call:
    """Its whole file system as a tar."""
    return Call("GET", f"/containers/{ref}/export")


def read_archive(ref: str, path: str) -> Call:
    """A path of the container as a tar."""
    return Call("GET", f"/containers/{ref}/archive", {"path": path})


def stat_archive(ref: str, path: str) -> Call:
    """What a path is, in the header X-Docker-Container-Path-Stat; 404 is an answer too."""
    return Call("HEAD", f"/containers/{ref}/archive", {"path": path}, accept=(404,))


def write_archive(
    ref: str, path: str, body: bytes = b"", *, copy_owner: bool = False, in_memory: bool = False
) -> Call:
    """Unpack a tar below a path; `in_memory` keeps it from disk, on an engine that knows how."""
    query = {"path": path, "noOverwriteDirNonDir": "true"}
    if copy_owner:
        query["copyUIDGID"] = "true"
    if in_memory:
        query["inMemory"] = "true"
    return Call(
        "PUT", f"/containers/{ref}/archive", query, body, {"Content-Type": "application/x-tar"}
    )


def create_exec(ref: str, body: Any) -> Call:
    """Prepare a program in a running container; the answer has Id."""
    return json_call("POST", f"/containers/{ref}/exec", body)


def start_exec(
    exec_id: str, *, detach: bool, tty: bool, size: tuple[int, int] | None = None
) -> Call:
    """Run it: takes the connection over, unless detached."""
    body: dict[str, Any] = {"Detach": detach, "Tty": tty}
    if size and tty:
        body["ConsoleSize"] = list(size)
    return json_call("POST", f"/exec/{exec_id}/start", body)


def inspect_exec(exec_id: str) -> Call:
    """Whether it runs, and its exit code."""
    return Call("GET", f"/exec/{exec_id}/json")


def resize_exec(exec_id: str, height: int, width: int) -> Call:
    """Tell its terminal its size."""
    return Call("POST", f"/exec/{exec_id}/resize", {"h": str(height), "w": str(width)})


def inspect_image(ref: str, platform: str = "") -> Call:
    """All about a local image, of one platform if it is named; 404 is an answer too."""
    return Call("GET", f"/images/{ref}/json", platform_query(platform), accept=(404,))


def platform_query(platform: str, key: str = "platform") -> dict[str, str]:
    """The parameter that names a platform, as JSON; nothing for "". Pure."""
    if not platform:
        return {}
    from compose.engine_client.payloads.platforms import read_platform

    system, architecture, variant = read_platform(platform)
    if not architecture:
        return {}  # the system alone: whatever is there for it
    found = {"architecture": architecture, "os": system, "variant": variant}
    return {key: json.dumps({name: value for name, value in found.items() if value})}


def list_images(**filters: list[str]) -> Call:
    """Local images."""
    return Call("GET", "/images/json", encode_filters(**filters))


def remove_image(ref: str, *, force: bool = False) -> Call:
    """Remove a tag, and the image with its last tag."""
    return Call("DELETE", f"/images/{ref}", {"force": "1"} if force else {})


def tag_image(ref: str, repository: str, tag: str) -> Call:
    """Give an image another name."""
    return Call("POST", f"/images/{ref}/tag", {"repo": repository, "tag": tag})


def save_images(names: Iterable[str], platform: str = "") -> Call:
    """Images as one tar, of one platform if it is named."""
    return Call("GET", "/images/get", {"names": list(names), **platform_query(platform)})


def build_image(
    query: Mapping[str, str | list[str]], registry_config: str, inputs: int = 0
) -> Call:
    """Build from a tar that follows as body; answers with a stream of progress.

    `inputs` is the length of our engine's JSON in front of the tar.
    """
    headers = {"Content-Type": "application/x-tar", "X-Registry-Config": registry_config}
    if inputs:
        headers["X-Pycompose-Inputs"] = str(inputs)
    return Call("POST", "/build", query, headers=headers)


def prune_builds(*, everything: bool = False, reserved: int = 0, **filters: list[str]) -> Call:
    """Remove from the build cache; the answer has CachesDeleted and SpaceReclaimed."""
    query = {
        **encode_filters(**filters),
        "all": "1" if everything else "",
        "reserved-space": str(reserved or ""),
    }
    return Call("POST", "/build/prune", {key: value for key, value in query.items() if value})


def list_networks(**filters: list[str]) -> Call:
    """Networks."""
    return Call("GET", "/networks", encode_filters(**filters))


def inspect_network(ref: str) -> Call:
    """All about one network, its containers too; 404 is an answer."""
    return Call("GET", f"/networks/{ref}", accept=(404,))


def create_network(body: Any) -> Call:
    """Create; the answer has Id."""
    return json_call("POST", "/networks/create", body)


def remove_network(ref: str) -> Call:
    """Remove; gone already is fine."""
    return Call("DELETE", f"/networks/{ref}", accept=(404,))


def connect_network(ref: str, container: str, endpoint: Any) -> Call:
    """Connect a container."""
    return json_call(
        "POST", f"/networks/{ref}/connect", {"Container": container, "EndpointConfig": endpoint}
    )


def disconnect_network(ref: str, container: str) -> Call:
    """Disconnect a container, running or not."""
    return json_call(
        "POST",
        f"/networks/{ref}/disconnect",
        {"Container": container, "Force": True},
        accept=(404,),
    )


def list_volumes(**filters: list[str]) -> Call:
    """Volumes."""
    return Call("GET", "/volumes", encode_filters(**filters))


def inspect_volume(name: str) -> Call:
    """All about one volume; 404 is an answer too."""
    return Call("GET", f"/volumes/{name}", accept=(404,))


def create_volume(body: Any) -> Call:
    """Create; there already, and alike, is fine."""
    return json_call("POST", "/volumes/create", body)


def remove_volume(name: str) -> Call:
    """Remove; gone already is fine."""
    return Call("DELETE", f"/volumes/{name}", {"force": "1"}, accept=(404,))


def stream_events(
    filters: dict[str, list[str]] | None = None, since: str = "", until: str = ""
) -> Call:
    """What happens, one JSON object an event, from now on or from `since`."""
    query = {key: value for key, value in (("since", since), ("until", until)) if value}
    if filters:
        query["filters"] = json.dumps(filters, separators=(",", ":"))
    return Call("GET", "/events", query)
