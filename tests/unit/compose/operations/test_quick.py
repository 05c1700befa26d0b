"""A plan carried out without an event loop, beside an engine that is a thread with a socket."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from compose.engine_client.blocking import BlockingClient
from compose.engine_client.endpoint import Endpoint
from compose.errors import EngineRefusedError
from compose.loader.request import LoadRequest
from compose.operations.quick import apply_quickly
from compose.operations.session import Session
from compose.operations.world import World
from compose.planner.steps import Delay, Plan, RemoveContainer, RemoveNetwork, StopContainer


class Told(NamedTuple):
    """A progress that remembers."""

    words: list[str]

    @property
    def style(self) -> str:
        return "plain"

    def report(self, subject: str, word: str, kind: str = "working", text: str = "") -> None:
        self.words.append(f"{subject} {word}")

    def warn(self, text: str) -> None: ...
    def line(self, text: str) -> None: ...
    def quote(self, source: str, text: str) -> None: ...
    def close(self) -> None: ...


class Engine:
    """Answers each request with 204, or with what `answers` has for its path."""

    def __init__(self, path: str) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, int] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(64)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while head := connection.recv(1 << 16).decode():
                path = head.split()[1].partition("?")[0].split("/", 2)[2]
                self.asked.append(path)
                status = self.answers.get(path, 204)
                body = b'{"message":"no"}' if status >= 400 else b""
                text = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                if status == 204:
                    text = "HTTP/1.1 204 No Content\r\n\r\n"
                connection.sendall(text.encode() + body)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(f"{tmp_path}/s")
    try:
        yield made
    finally:
        made.close()


def carry_out(tmp_path: Path, plan: Plan, limit: int | None = None) -> tuple[bool, list[str]]:
    endpoint = Endpoint(f"{tmp_path}/s")
    told = Told([])
    session = Session(
        endpoint, {}, LoadRequest(), told, told, io.StringIO(), io.StringIO(), limit,
    )  # type: ignore[arg-type]  # fmt: skip
    client = BlockingClient(endpoint)
    client.version = (1, 51)
    return apply_quickly(plan, session, client, World("x")), told.words


def stop(name: str, *needs: str) -> StopContainer:
    return StopContainer(id=f"stop {name}", needs=frozenset(needs), ref=name, name=name)


def test_order_and_words(engine: Engine, tmp_path: Path) -> None:
    remove = RemoveContainer(id="remove a", needs=frozenset(["stop a"]), ref="a", name="a")
    network = RemoveNetwork(
        id="net", needs=frozenset(["remove a", "stop b"]), ref="n", name="n"
    )  # fmt: skip
    done, words = carry_out(tmp_path, Plan((stop("a"), remove, stop("b", "stop a"), network)))
    assert done
    assert engine.asked[0] == "containers/a/stop"
    assert engine.asked[-1] == "networks/n"
    assert set(engine.asked[1:3]) == {"containers/a", "containers/b/stop"}
    assert words[:2] == ["Container a Stopping", "Container a Stopped"]
    assert words[-1] == "Network n Removed"


def test_a_failure_starts_nothing_more(engine: Engine, tmp_path: Path) -> None:
    engine.answers["containers/a/stop"] = 500
    with pytest.raises(EngineRefusedError, match="Container a: no"):
        carry_out(tmp_path, Plan((stop("a"), stop("b", "stop a"), stop("c"))), limit=1)
    assert engine.asked == ["containers/a/stop"]


def test_a_refusal_that_is_no_failure(engine: Engine, tmp_path: Path) -> None:
    engine.answers["networks/n"] = 409
    _, words = carry_out(tmp_path, Plan((RemoveNetwork(id="net", ref="n", name="n"),)))
    assert words[-1] == "Network n Resource is still in use"


def test_more_than_a_call_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    wait = Delay(id="delay", service="a", seconds=1)
    assert carry_out(tmp_path, Plan((stop("a"), wait))) == (False, [])
    assert engine.asked == []
