"""The one route table: method, path, handler. What Docker has and we do not answers 501 by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.api import (
    archive_handlers,
    attach_handlers,
    build_handlers,
    commit_handlers,
    container_handlers,
    event_handlers,
    image_handlers,
    network_handlers,
    observation_handlers,
    registry_handlers,
    session_handlers,
    system_handlers,
    transfer_handlers,
    volume_handlers,
)
from engine.api.exchange import Response
from engine.errors import NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.api.engine import Engine
    from engine.api.exchange import Exchange

    Handler = Callable[..., Awaitable[Response | None]]

#: `{name}` matches what has no slash in it, `{image}` also slashes.
ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/_ping", system_handlers.ping),
    ("HEAD", "/_ping", system_handlers.ping),
    ("GET", "/version", system_handlers.version),
    ("GET", "/info", system_handlers.info),
    ("GET", "/events", event_handlers.events),
    ("GET", "/system/df", system_handlers.disk_usage),
    ("POST", "/session", session_handlers.session),
    ("POST", "/grpc", build_handlers.grpc),
    ("POST", "/pycompose/stop", system_handlers.shut_down),
    ("GET", "/plugins", system_handlers.no_plugins),
    ("GET", "/plugins/{name}/json", system_handlers.no_plugin),
    ("GET", "/containers/json", container_handlers.list_all),
    ("POST", "/containers/create", container_handlers.create),
    ("POST", "/containers/prune", container_handlers.prune),
    ("GET", "/containers/{name}/json", container_handlers.inspect),
    ("GET", "/containers/{name}/logs", container_handlers.logs),
    ("GET", "/containers/{name}/top", observation_handlers.top),
    ("GET", "/containers/{name}/stats", observation_handlers.stats),
    ("GET", "/containers/{name}/changes", observation_handlers.changes),
    ("POST", "/containers/{name}/update", container_handlers.update),
    ("POST", "/containers/{name}/start", container_handlers.start),
    ("POST", "/containers/{name}/stop", container_handlers.stop),
    ("POST", "/containers/{name}/restart", container_handlers.restart),
    ("POST", "/containers/{name}/kill", container_handlers.kill),
    ("POST", "/containers/{name}/pause", container_handlers.pause),
    ("POST", "/containers/{name}/unpause", container_handlers.unpause),
    ("POST", "/containers/{name}/rename", container_handlers.rename),
    ("POST", "/containers/{name}/resize", container_handlers.resize),
    ("POST", "/containers/{name}/wait", container_handlers.wait),
    ("POST", "/containers/{name}/attach", attach_handlers.attach),
    ("GET", "/containers/{name}/attach/ws", attach_handlers.attach_websocket),
    ("POST", "/containers/{name}/exec", attach_handlers.create_exec),
    ("HEAD", "/containers/{name}/archive", archive_handlers.stat),
    ("GET", "/containers/{name}/archive", archive_handlers.get),
    ("PUT", "/containers/{name}/archive", archive_handlers.put),
    ("GET", "/containers/{name}/export", archive_handlers.export),
    ("DELETE", "/containers/{name}", container_handlers.remove),
    ("POST", "/exec/{name}/start", attach_handlers.start_exec),
    ("GET", "/exec/{name}/json", attach_handlers.inspect_exec),
    ("POST", "/exec/{name}/resize", attach_handlers.resize_exec),
    ("GET", "/images/json", image_handlers.list_all),
    ("POST", "/images/create", image_handlers.create),
    ("POST", "/images/prune", image_handlers.prune),
    ("GET", "/images/search", registry_handlers.find),
    ("GET", "/pycompose/signatures/{image}", registry_handlers.signatures),
    ("POST", "/auth", registry_handlers.auth),
    ("GET", "/distribution/{image}/json", registry_handlers.distribution),
    ("POST", "/images/{image}/push", registry_handlers.push),
    ("GET", "/images/get", transfer_handlers.save),
    ("POST", "/images/load", transfer_handlers.load),
    ("GET", "/images/{image}/get", transfer_handlers.save_one),
    ("GET", "/images/{image}/json", image_handlers.inspect),
    ("GET", "/images/{image}/history", image_handlers.history),
    ("POST", "/images/{image}/tag", image_handlers.tag),
    ("DELETE", "/images/{image}", image_handlers.remove),
    ("POST", "/commit", commit_handlers.create),
    ("POST", "/build", build_handlers.build),
    ("POST", "/build/prune", build_handlers.prune),
    ("GET", "/networks", network_handlers.list_all),
    ("POST", "/networks/create", network_handlers.create),
    ("POST", "/networks/prune", network_handlers.prune),
    ("GET", "/networks/{name}", network_handlers.inspect),
    ("DELETE", "/networks/{name}", network_handlers.remove),
    ("POST", "/networks/{name}/connect", network_handlers.connect),
    ("POST", "/networks/{name}/disconnect", network_handlers.disconnect),
    ("GET", "/volumes", volume_handlers.list_all),
    ("POST", "/volumes/create", volume_handlers.create),
    ("POST", "/volumes/prune", volume_handlers.prune),
    ("GET", "/volumes/{name}", volume_handlers.inspect),
    ("DELETE", "/volumes/{name}", volume_handlers.remove),
)

#: First parts of paths that Docker's API has: what is below them and not in the table is a 501.
DOCKERS = (
    "auth", "build", "commit", "configs", "containers", "distribution", "events", "exec", "grpc",
    "images", "info", "networks", "nodes", "plugins", "secrets", "services", "session", "swarm",
    "system", "tasks", "volumes",
)  # fmt: skip


#: First parts of paths that only a swarm's manager answers.
SWARMS = ("configs", "nodes", "secrets", "services", "swarm", "tasks")


class Router:
    """Finds the handler of a request."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._plain: dict[tuple[str, str], Handler] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Handler]] = []
        for method, path, handler in ROUTES:
            if "{" in path:
                self._patterns.append((method, _pattern(path), handler))
            else:
                self._plain[method, path] = handler

    async def dispatch(self, exchange: Exchange) -> Response | None:
        """Answer a request. Raises NotSupportedError and whatever the handler does."""
        method, path = exchange.request.method, exchange.request.path
        plain = self._plain.get((method, path))
        if plain is not None:
            return await plain(self._engine, exchange)
        for wanted, pattern, handler in self._patterns:
            match = pattern.fullmatch(path) if wanted == method else None
            if match:
                return await handler(self._engine, exchange, match[1])
        first = path.split("/")[1]
        if first in SWARMS and path not in ("/swarm/init", "/swarm/join"):
            return await system_handlers.no_swarm(self._engine, exchange)
        if first in DOCKERS:
            raise NotSupportedError(f"{method} {path} is not supported by this engine yet")
        return Response(404, {"message": "page not found"})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(path.replace("{name}", "([^/]+)").replace("{image}", "(.+)"))
