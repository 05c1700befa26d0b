"""Calls for single containers, networks and volumes whatever their project, and for the engine itself.

Beyond those of calls.py, which are what projects need. Pure: each function returns a Call.
"""

from __future__ import annotations

import json

from compose.engine_client.call import Call, json_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

INFO = Call("GET", "/info")
DISK_USAGE = Call("GET", "/system/df")


def filter_query(filters: Mapping[str, list[str]]) -> dict[str, str]:
    """The `filters` parameter, {} for none."""
    kept = {key: values for key, values in filters.items() if values}
    return {"filters": json.dumps(kept, separators=(",", ":"))} if kept else {}


def list_containers(
    filters: Mapping[str, list[str]], *, everything: bool, limit: int = -1, size: bool = False
) -> Call:
    """Containers of the engine; the `limit` youngest, if that is over 0."""
    query = filter_query(filters)
    query |= {"all": "1"} if everything else {}
    query |= {"limit": str(limit)} if limit > 0 else {}
    query |= {"size": "1"} if size else {}
    return Call("GET", "/containers/json", query)


def inspect_container(ref: str, *, size: bool = False) -> Call:
    """All about one container, with what it takes on disk if asked."""
    return Call("GET", f"/containers/{ref}/json", {"size": "1"} if size else {})


def start_container(ref: str, detach_keys: str = "") -> Call:
    """Start; started already is fine."""
    query = {"detachKeys": detach_keys} if detach_keys else {}
    return Call("POST", f"/containers/{ref}/start", query)


def stop_container(ref: str, *, verb: str, signal: str, timeout: int | None) -> Call:
    """`verb` is stop or restart; signal "" and timeout None are the container's own."""
    query = {"signal": signal} if signal else {}
    query |= {"t": str(timeout)} if timeout is not None else {}
    return Call("POST", f"/containers/{ref}/{verb}", query)


def remove_container(ref: str, *, volumes: bool, force: bool, link: bool) -> Call:
    """Remove; one that is not there is an error here."""
    wanted = {"v": volumes, "force": force, "link": link}
    return Call(
        "DELETE", f"/containers/{ref}", {key: "1" for key, value in wanted.items() if value}
    )


def update_container(ref: str, body: Any) -> Call:
    """Change limits and restart policy."""
    return json_call("POST", f"/containers/{ref}/update", body)


def changes_container(ref: str) -> Call:
    """What differs from the image: Path and Kind (0 changed, 1 added, 2 deleted)."""
    return Call("GET", f"/containers/{ref}/changes")


def top_container(ref: str, arguments: str = "") -> Call:
    """Its processes, as ps prints them with these arguments."""
    return Call("GET", f"/containers/{ref}/top", {"ps_args": arguments} if arguments else {})


def commit_container(
    ref: str,
    repository: str,
    tag: str,
    *,
    author: str,
    message: str,
    changes: list[str],
    pause: bool,
) -> Call:
    """An image of the container as it is; the answer has Id."""
    query: dict[str, str | list[str]] = {"container": ref, "pause": "1" if pause else "0"}
    given = {"repo": repository, "tag": tag, "author": author, "comment": message}
    query |= {key: value for key, value in given.items() if value}
    query |= {"changes": changes} if changes else {}
    return json_call("POST", "/commit", {}, query)


def prune(kind: str, filters: Mapping[str, list[str]]) -> Call:
    """Remove what nobody uses: of "containers", "networks", "volumes", "images" or "build"."""
    return Call("POST", f"/{kind}/prune", filter_query(filters))


def list_networks(filters: Mapping[str, list[str]]) -> Call:
    """Networks."""
    return Call("GET", "/networks", filter_query(filters))


def list_volumes(filters: Mapping[str, list[str]]) -> Call:
    """Volumes."""
    return Call("GET", "/volumes", filter_query(filters))


def inspect_network(ref: str, *, verbose: bool = False) -> Call:
    """All about one network."""
    return Call("GET", f"/networks/{ref}", {"verbose": "1"} if verbose else {})


def inspect_volume(name: str) -> Call:
    """All about one volume."""
    return Call("GET", f"/volumes/{name}")


def remove_network(ref: str) -> Call:
    """Remove; one that is not there is an error here."""
    return Call("DELETE", f"/networks/{ref}")


def remove_volume(name: str, *, force: bool) -> Call:
    """Remove; `force` lets one that is not there pass."""
    return Call("DELETE", f"/volumes/{name}", {"force": "1"} if force else {})


def disconnect_network(ref: str, container: str, *, force: bool) -> Call:
    """Disconnect; a container that is not connected is an error here."""
    body = {"Container": container, "Force": force}
    return json_call("POST", f"/networks/{ref}/disconnect", body)
