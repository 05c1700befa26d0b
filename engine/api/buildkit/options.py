"""The attributes of the frontend dockerfile.v0 -> a build request, and where its files come from. Pure.

Source: https://docs.docker.com/reference/cli/docker/buildx/build/, moby/buildkit frontend/dockerui.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.api.buildkit.errors import UNIMPLEMENTED, GrpcError
from engine.build.request import BuildRequest, Limits
from engine.build.solve import IMAGE_CONTEXT
from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL = "local:"


@dataclass(frozen=True, slots=True)
class Sources:
    """Names of the client's folders; `remote` is a URL in the context's place; `contexts` by name."""

    dockerfile: str = "dockerfile"
    context: str = "context"
    remote: str = ""
    contexts: Mapping[str, str] = field(default_factory=dict)


def read_options(options: Mapping[str, str]) -> tuple[BuildRequest, Sources]:
    """Raises InvalidRequestError, GrpcError for what is refused by name."""
    if options.get("requestid"):
        raise GrpcError(
            UNIMPLEMENTED, f"the request {options['requestid']} is not supported: build"
        )
    if options.get("source"):
        raise GrpcError(UNIMPLEMENTED, f"the frontend {options['source']} is not supported")
    contexts, local = {}, {}
    for key, value in _below(options, "context:").items():
        name = key.partition("::")[0]
        if value.startswith(LOCAL):
            local[name] = value.removeprefix(LOCAL)
            contexts[name] = f"folder:{name}"
        elif value.startswith((IMAGE_CONTEXT, "git@")) or "://" in value:
            contexts[name] = value
        else:
            raise GrpcError(UNIMPLEMENTED, f"the context {name}={value} is not supported")
    no_cache = options.get("no-cache")
    request = BuildRequest(
        dockerfile=options.get("filename") or "Dockerfile",
        build_args=_below(options, "build-arg:"),
        labels=_below(options, "label:"),
        target=options.get("target", ""),
        no_cache=no_cache == "",
        no_cache_filter=tuple(filter(None, (no_cache or "").split(","))),
        pull=options.get("image-resolve-mode") == "pull",
        network_mode=options.get("force-network-mode", "").replace("sandbox", ""),
        extra_hosts=tuple(
            one.replace("=", ":", 1) for one in options.get("add-hosts", "").split(",") if one
        ),
        platform=options.get("platform", ""),
        limits=Limits(
            shm_size=_number(options.get("shm-size", "")),
            cgroup_parent=options.get("cgroup-parent", ""),
            ulimits=_ulimits(options.get("ulimit", "")),
        ),
        contexts=contexts,
    )
    sources = Sources(
        options.get("dockerfilekey") or "dockerfile", options.get("contextkey") or "context",
        options.get("context", ""), local,
    )  # fmt: skip
    return request, sources


def _below(options: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key[len(prefix) :]: value for key, value in options.items() if key.startswith(prefix)}


def _number(text: str) -> int:
    if text and not text.isdecimal():
        raise InvalidRequestError(f"shm-size: {text} is no number of bytes")
    return int(text or 0)


def _ulimits(text: str) -> tuple[tuple[str, int, int], ...]:
    found = []
    for one in filter(None, text.split(",")):
        name, _, values = one.partition("=")
        soft, _, hard = values.partition(":")
        try:
            found.append((name, int(soft), int(hard or soft)))
        except ValueError as error:
            raise InvalidRequestError(f"ulimit: {one} is no limit: write name=soft:hard") from error
    return tuple(found)
