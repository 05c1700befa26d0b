"""Where an engine is: unix:///path/to.sock, or tcp://host:port. Pure, but for the environment given in."""

from __future__ import annotations

from compose.errors import UsageError
from compose.model.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Endpoint(Record):
    """One engine's address. `explicit` is one that the user named: never started on demand."""

    path: str = ""
    host: str = ""
    port: int = 0
    explicit: bool = False

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"tcp://{self.host}:{self.port}"


def find_endpoint(host: str, environment: Mapping[str, str], uid: int) -> Endpoint:
    """--host, else PYCOMPOSE_HOST, else the own engine's socket. Raises UsageError."""
    named = host or environment.get("PYCOMPOSE_HOST", "")
    if named:
        return parse_endpoint(named)
    return Endpoint(path=f"{run_folder(environment, uid)}/engine.sock")


def run_folder(environment: Mapping[str, str], uid: int) -> str:
    """The folder of the own engine's socket: PYCOMPOSE_RUN_DIR, /run/pycompose, or the user's."""
    named = environment.get("PYCOMPOSE_RUN_DIR")
    if named:
        return named
    if uid == 0:
        return "/run/pycompose"
    return (environment.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}") + "/pycompose"


def parse_endpoint(text: str) -> Endpoint:
    """The address in `text`, or UsageError with the forms that are known."""
    scheme, separator, rest = text.partition("://")
    if not separator and text.startswith("/"):
        scheme, rest = "unix", text
    if scheme == "unix" and rest:
        return Endpoint(path=rest, explicit=True)
    if scheme in ("tcp", "http") and rest:
        host, _, port = rest.rstrip("/").rpartition(":")
        if port.isdigit():
            return Endpoint(host=host.strip("[]") or "127.0.0.1", port=int(port), explicit=True)
        return Endpoint(host=rest.rstrip("/"), port=2375, explicit=True)
    raise UsageError(
        f'cannot use "{text}" as an engine\'s address: name it as unix:///path/to.sock or tcp://host:port'
    )
