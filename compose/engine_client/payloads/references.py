"""Image names: repository, tag or digest, and the registry they come from. Pure."""

from __future__ import annotations

#: A build context that the builder fetches itself.
REMOTE = ("http://", "https://", "git://", "ssh://", "git@", "github.com/")
DEFAULT_REGISTRY = "docker.io"
#: What docker's configuration file calls Docker Hub.
HUB_KEY = "https://index.docker.io/v1/"


def split_reference(image: str) -> tuple[str, str]:
    """ "host:5000/a/b:1" -> ("host:5000/a/b", "1"); a digest is the tag; "latest" without either."""
    name, separator, digest = image.partition("@")
    if separator:
        return untagged(name), digest
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return name, "latest"


def untagged(name: str) -> str:
    """A name without its tag."""
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def registry_of(image: str) -> str:
    """The registry's host: the first part, if it looks like one."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return DEFAULT_REGISTRY


def familiar(image: str) -> str:
    """With a tag, always."""
    repository, tag = split_reference(image)
    return f"{repository}@{tag}" if ":" in tag else f"{repository}:{tag}"
