"""What a registry's answer means: try again (and when), or an error in words people know. Pure.

Sources: OCI distribution-spec v1.1 (error codes), RFC 9110 section 10.2.3 (Retry-After).
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from engine.errors import EngineError, NotFoundError

if TYPE_CHECKING:
    import httpx

RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Seconds; a registry that asks for more is not waited for.
LONGEST_WAIT = 30.0


class RegistryError(EngineError):
    """The registry refused, could not be reached, or did not keep its word."""


class AccessDeniedError(EngineError):
    """The registry wants other credentials (Docker answers 404 or 500 with these words)."""

    status = 404


def backoff(attempt: int) -> float:
    """Seconds to wait before try number `attempt` + 1: doubles from 250 ms."""
    return min(0.25 * (1 << attempt), LONGEST_WAIT)


def retry_after(text: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, None if it says nothing. `now`: Unix time."""
    text = text.strip()
    if text.isdigit():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - now, 0.0)
    except ValueError:
        return None


def wait_of(response: httpx.Response, attempt: int, now: float) -> float | None:
    """Seconds to wait before another try; None if that is longer than anybody waits."""
    asked = retry_after(response.headers.get("retry-after", ""), now)
    if asked is None:
        return backoff(attempt)
    return None if asked > LONGEST_WAIT else max(asked, 0.05)


def refusal(response: httpx.Response, repository: str, actions: str = "pull") -> EngineError:
    """The error for an answer that is none of those hoped for, in Docker's words where it has some."""
    code, message = _told(response)
    status = response.status_code
    if status in (401, 403) or code in ("DENIED", "UNAUTHORIZED"):
        if actions != "pull":
            return AccessDeniedError(
                f"denied: {message or 'requested access to the resource is denied'}"
            )
        return AccessDeniedError(
            f"pull access denied for {repository}, repository does not exist or may require "
            f"'docker login': denied: {message or 'requested access to the resource is denied'}"
        )
    if status == 404:
        return NotFoundError(f"{repository}: {message or 'manifest unknown'}")
    if status == 429:
        return RegistryError(
            f"toomanyrequests: {message or 'the registry limits how often one may pull'}"
        )
    return RegistryError(
        f"the registry answered {status} for {repository}: {message or code}".rstrip(": ")
    )


def _told(response: httpx.Response) -> tuple[str, str]:
    """(code, message) of the first error in the body, "" for what is not there."""
    import httpx

    try:
        first = response.json()["errors"][0]
        return str(first.get("code") or ""), str(first.get("message") or "")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, httpx.StreamError):
        return "", ""
