"""The engine's error tree: whose fault it is, the HTTP status, and what to do next.

Rules: every error that leaves the engine is one of these. The message is one line that a person
can act on and reads as Docker's does where clients match on it ("No such container: x"). Foreign
exceptions (OSError, sqlite3.Error ...) are mapped where the foreign call is made, with `from`.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What can be done about the limits that a host may come to.
LIMITS = {
    errno.ENOSPC: "free space below the engine's root, e.g. by `pycompose system prune`",
    errno.EDQUOT: "the quota of the engine's root is used up",
    errno.EROFS: "the engine's root is on a read-only file system",
    errno.EMFILE: "raise the engine's limit of open files (LimitNOFILE, ulimit -n)",
    errno.ENFILE: "raise the host's limit of open files (sysctl fs.file-max)",
}


class EngineError(Exception):
    """Base of all errors the engine answers with; `status` is the HTTP status code."""

    status = 500

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidRequestError(EngineError):
    """The client's request cannot mean anything (HTTP 400)."""

    status = 400


class ForbiddenError(EngineError):
    """The request is understood and refused on principle (HTTP 403)."""

    status = 403


class NotFoundError(EngineError):
    """What the request names does not exist (HTTP 404)."""

    status = 404


class ConflictError(EngineError):
    """What the request names is in the wrong state for it, or in use (HTTP 409)."""

    status = 409


class NotModifiedError(EngineError):
    """It is already so; Docker answers 304 with no body (start of a running container)."""

    status = 304


class HostLimitError(EngineError):
    """The host refuses: no disk, no privilege, a kernel without the feature (HTTP 500)."""


class NotSupportedError(EngineError):
    """Docker has it and this engine does not, or not yet (HTTP 501); the message names it."""

    status = 501


def of_host(error: OSError) -> HostLimitError:
    """What the host has refused, in its words, and what to do about it."""
    place = f": {error.filename}" if error.filename else ""
    return HostLimitError(
        f"{error.strerror or error}{place}", hint=LIMITS.get(error.errno or 0, "")
    )


@contextmanager
def host_errors() -> Iterator[None]:
    """What the host refuses inside is told in its words. Raises HostLimitError."""
    try:
        yield
    except OSError as error:
        raise of_host(error) from error


def first_error(group: BaseExceptionGroup[EngineError]) -> EngineError:
    """The first error of a nursery's group of them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, EngineError)
    return error
