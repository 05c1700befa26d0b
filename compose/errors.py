"""The client's error tree: whose fault it is, and the exit code it ends with.

Rules: every foreseeable failure is one of these, and prints as one line (what, where, what to do).
Exit codes are docker compose's: 1 for a failed command, 14/15/17 as it has them, 130 after Ctrl-C.
"""

from __future__ import annotations


class ComposeError(Exception):
    """Base of all foreseeable failures; `exit_code` is what the process ends with."""

    exit_code = 1

    @property
    def lines(self) -> list[str]:
        """What is printed of it: one line."""
        return [" ".join(str(self).split("\n"))] if str(self) else []


class ProjectError(ComposeError):
    """The user's project is wrong: a file, a key, a reference. Carries file:line:column in its text."""

    @property
    def lines(self) -> list[str]:
        """A line for each fault of the project."""
        return str(self).split("\n")


class UsageError(ComposeError):
    """The command line is wrong: an unknown flag or a missing argument."""


class EngineRefusedError(ComposeError):
    """The engine answered with an error; `status` is the HTTP status code."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class EngineUnreachableError(ComposeError):
    """No engine answers and none could be started."""


class InterruptedByUserError(ComposeError):
    """Ctrl-C, or a request to terminate. There is nothing to print: the person knows."""

    exit_code = 130
