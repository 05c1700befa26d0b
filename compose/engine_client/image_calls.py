"""Calls for images whatever their project, and for registries. Pure: each function returns a Call."""

from __future__ import annotations

from compose.engine_client.call import Call, json_call
from compose.engine_client.calls import platform_query
from compose.engine_client.object_calls import filter_query

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def list_images(
    filters: Mapping[str, list[str]],
    *,
    everything: bool = False,
    shared: bool = False,
    manifests: bool = False,
) -> Call:
    """Images of the engine; with `everything` those that others are built on, too."""
    asked = {"all": everything, "shared-size": shared, "manifests": manifests}
    query = filter_query(filters) | {key: "1" for key, value in asked.items() if value}
    return Call("GET", "/images/json", query)


def inspect_image(ref: str, platform: str = "") -> Call:
    """All about one image, of one platform if it is named; one that is not there is an error here."""
    return Call("GET", f"/images/{ref}/json", platform_query(platform))


def image_history(ref: str, platform: str = "") -> Call:
    """How an image came to be, the youngest step first."""
    return Call("GET", f"/images/{ref}/history", platform_query(platform))


def remove_image(ref: str, *, force: bool, no_prune: bool, platforms: Iterable[str] = ()) -> Call:
    """Remove a name, and the image with its last one; its nameless parents stay with `no_prune`.

    With `platforms` it is their images of it alone.
    """
    wanted = {"force": force, "noprune": no_prune}
    query: dict[str, str | list[str]] = {key: "1" for key, value in wanted.items() if value}
    documents = [found for one in platforms if (found := platform_query(one).get("platform"))]
    return Call("DELETE", f"/images/{ref}", query | ({"platforms": documents} if documents else {}))


def pull_image(repository: str, tag: str, *, platform: str, auth: str) -> Call:
    """Fetch from a registry, all tags where `tag` is ""; answers with a stream of progress."""
    query = {"fromImage": repository}
    query |= {"tag": tag} if tag else {}
    query |= {"platform": platform} if platform else {}
    return Call("POST", "/images/create", query, headers={"X-Registry-Auth": auth} if auth else {})


def push_image(repository: str, tag: str, *, auth: str, platform: str = "") -> Call:
    """Send to a registry, all tags where `tag` is ""; answers with a stream of progress."""
    query = ({"tag": tag} if tag else {}) | platform_query(platform)
    return Call("POST", f"/images/{repository}/push", query, headers={"X-Registry-Auth": auth})


def load_images(*, quiet: bool, platform: str) -> Call:
    """Load images from a tar that follows as body; answers with a stream of progress."""
    query = {"quiet": "1"} if quiet else {}
    query |= {"platform": platform} if platform else {}
    return Call("POST", "/images/load", query, headers={"Content-Type": "application/x-tar"})


def import_image(
    source: str, repository: str, tag: str, changes: Iterable[str], message: str, platform: str
) -> Call:
    """Make an image of a root file system: a tar that follows as body ("-"), or one at a URL."""
    query: dict[str, str | list[str]] = {"fromSrc": source, "changes": list(changes)}
    given = {"repo": repository, "tag": tag, "message": message, "platform": platform}
    query |= {key: value for key, value in given.items() if value}
    return Call("POST", "/images/create", query, headers={"Content-Type": "application/x-tar"})


def search(term: str, filters: Mapping[str, list[str]], limit: int, auth: str) -> Call:
    """Repositories of a registry that a word finds."""
    query = {"term": term, **({"limit": str(limit)} if limit else {})} | filter_query(filters)
    return Call("GET", "/images/search", query, headers={"X-Registry-Auth": auth} if auth else {})


def check_login(credentials: Mapping[str, Any]) -> Call:
    """Ask the engine whether a registry takes these credentials."""
    return json_call("POST", "/auth", dict(credentials))


def signatures(name: str, auth: str) -> Call:
    """The cosign signatures of an image, from its registry; of our own engine."""
    headers = {"X-Registry-Auth": auth} if auth else {}
    return Call("GET", f"/pycompose/signatures/{name}", headers=headers)


def distribution(name: str, auth: str) -> Call:
    """The digest and platforms that a name has in its registry."""
    headers = {"X-Registry-Auth": auth} if auth else {}
    return Call("GET", f"/distribution/{name}/json", headers=headers)
