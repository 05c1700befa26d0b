"""Compose files that the tests write: small services of busybox that do one thing each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "busybox:bench"
#: Says it is there, then waits for its end and obeys SIGTERM.
TALKS = "echo $$SERVICE is here; trap 'echo $$SERVICE leaves; exit 0' TERM; while :; do sleep 0.05; done"
#: Ignores all signals but SIGKILL.
STUBBORN = "trap '' TERM INT; echo deaf; while :; do sleep 0.05; done"


def sleeping(**more: Any) -> dict[str, Any]:
    """A service that does nothing until it is stopped."""
    return {"image": IMAGE, "command": ["sleep", "1000"], "init": True, **more}


def script(text: str, **more: Any) -> dict[str, Any]:
    """A service that runs a shell script."""
    return {"image": IMAGE, "command": ["sh", "-c", text], **more}


def talking(name: str, **more: Any) -> dict[str, Any]:
    """A service that says when it comes and when it goes."""
    return script(TALKS, environment={"SERVICE": name}, **more)


def write(folder: Path, services: dict[str, Any], **more: Any) -> None:
    """compose.yaml in the folder."""
    (folder / "compose.yaml").write_text(json.dumps({"services": services, **more}))
