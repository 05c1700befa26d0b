"""Docker's commands for single objects: a call each for several names at once, what went wrong told for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose.engine_client import object_calls
from compose.engine_client.blocking import PARALLEL
from compose.errors import ComposeError, EngineRefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from compose.engine_client.call import Answer, Call
    from compose.operations.session import Session

Row = dict[str, Any]


class SeveralFailedError(ComposeError):
    """What went wrong with some of the names, a line each."""


def each(session: Session, names: Sequence[str], call: Callable[[str], Call]) -> Iterator[str]:
    """The names whose call went well, as they are done; then SeveralFailedError for the others."""
    failed: list[str] = []
    for name, answer in answers(session, names, call):
        if isinstance(answer, EngineRefusedError):
            failed.append(str(answer))
        else:
            yield name
    if failed:
        raise SeveralFailedError("; ".join(failed))


def answers(
    session: Session, names: Sequence[str], call: Callable[[str], Call]
) -> Iterator[tuple[str, Answer | EngineRefusedError]]:
    """Each name with its answer, several calls at once."""
    with session.client() as client:
        for start in range(0, len(names), PARALLEL):
            batch = names[start : start + PARALLEL]
            sent = [client.begin(call(name)) for name in batch]
            for name, pending in zip(batch, sent, strict=True):
                try:
                    yield name, client.finish(pending)
                except EngineRefusedError as error:
                    yield name, error


def inspected(
    session: Session, names: Sequence[str], call: Callable[[str], Call]
) -> tuple[list[Row], list[str]]:
    """The documents of those that are there, and what went wrong with the others."""
    found: list[Row] = []
    failed: list[str] = []
    for _, answer in answers(session, names, call):
        if isinstance(answer, EngineRefusedError):
            failed.append(str(answer))
        else:
            found.append(answer.json())
    return found, failed


def ask(session: Session, call: Call) -> Any:
    """One call's document. Raises EngineRefusedError."""
    with session.client() as client:
        return client.do(call).json()


def read_filters(texts: Iterable[str]) -> dict[str, list[str]]:
    """--filter key=value, several times. Raises UsageError."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            error = UsageError(f'invalid filter "{text}": give it as NAME=VALUE')
            error.exit_code = 125  # docker's, for a flag that cannot be read
            raise error
        found.setdefault(key.strip().lower(), []).append(value.strip())
    return found


def pruned(session: Session, kind: str, filters: dict[str, list[str]]) -> Row:
    """Remove what nobody uses of a kind; the engine's account of it."""
    document: Row = ask(session, object_calls.prune(kind, filters)) or {}
    return document
