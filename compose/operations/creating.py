"""Creates one container, whatever number of calls an engine of its version needs for that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from compose.engine_client import calls
from compose.errors import ProjectError

if TYPE_CHECKING:
    from compose.engine_client.payloads.container import CreateRequest
    from compose.engine_client.transport import Engine
    from compose.model.project import Project
    from compose.model.service import Service


async def create_container(
    engine: Engine,
    name: str,
    request: CreateRequest,
    platform: str,
) -> dict[str, Any]:
    """Create a container with all its networks; the engine's answer. Nothing is left if one fails."""
    call = calls.create_container(name, request.body, platform)
    made: dict[str, Any] = (await engine.do(call)).json()
    try:
        for network, endpoint in request.connect_after:
            await engine.do(calls.connect_network(network, made["Id"], endpoint))
    except BaseException:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
            await engine.do(calls.remove_container(made["Id"], force=True))
        raise
    return made


async def read_profiles(project: Project, service: Service) -> dict[str, str]:
    """The seccomp profiles that security_opt names by path: path -> JSON."""
    found: dict[str, str] = {}
    for option in service.security_opt:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name != "seccomp" or value in ("", "unconfined", "builtin"):
            continue
        try:
            found[value] = await trio.Path(Path(project.working_dir) / value).read_text()
        except OSError as error:
            raise ProjectError(
                f"services.{service.name}.security_opt: opening seccomp profile ({value}) failed: "
                f"{error.strerror}"
            ) from error
    return found
