"""gRPC calls between two ends in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from engine.api.buildkit.errors import UNAVAILABLE, UNIMPLEMENTED, GrpcError
from engine.api.buildkit.grpc import BACKLOG, Connection, Stream
from engine.errors import InvalidRequestError


async def answer(path: str, stream: Stream) -> None:
    """A server of a few calls."""
    if path == "/echo":
        while (message := await stream.receive()) is not None:
            await stream.send(message)
    elif path == "/metadata":
        await stream.receive()
        await stream.send(stream.headers["key"].encode())
    elif path == "/flood":
        for _ in range(3 * BACKLOG // 32768):
            await stream.send(b"x" * 32768)
    elif path == "/refuse":
        raise InvalidRequestError('it is "bad": 100 %, ünd')
    elif path == "/wait":
        await trio.sleep_forever()
    else:
        raise GrpcError(UNIMPLEMENTED, "no such call")


@asynccontextmanager
async def connected():
    ours, theirs = trio.testing.memory_stream_pair()
    client, server = Connection(ours, client=True), Connection(theirs, client=False)
    async with trio.open_nursery() as nursery:
        await nursery.start(client.run)
        nursery.start_soon(server.run, answer)
        yield client, theirs
        nursery.cancel_scope.cancel()


async def test_unary_and_metadata() -> None:
    async with connected() as (client, _):
        assert await client.unary("/echo", b"hello") == b"hello"
        assert await client.unary("/metadata", b"", [("key", "value")]) == b"value"


async def test_many_messages_both_ways_and_one_larger_than_the_windows() -> None:
    async with connected() as (client, _), client.call("/echo") as stream:
        sizes = [0, 1, 70_000, BACKLOG + 5, 3]

        async def send() -> None:
            for size in sizes:
                await stream.send(b"x" * size)
            await stream.end()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            found = []
            while (message := await stream.receive()) is not None:
                found.append(len(message))
        assert found == sizes


@pytest.mark.parametrize(
    ("path", "said"), [("/refuse", 'it is "bad": 100 %, ünd'), ("/nope", "no such call")]
)
async def test_errors_come_with_their_words(path: str, said: str) -> None:
    async with connected() as (client, _):
        with pytest.raises(GrpcError) as raised:
            await client.unary(path, b"")
        assert raised.value.message == said


async def test_a_slow_reader_gets_everything_in_the_end() -> None:
    async with connected() as (client, _), client.call("/flood") as stream:
        await stream.end()
        total = 0
        while (message := await stream.receive()) is not None:
            total += len(message) + sum(map(len, stream.take_now()))
        assert total == 3 * BACKLOG


async def test_calls_run_side_by_side_and_may_be_left() -> None:
    async with connected() as (client, _):
        async with client.call("/wait"):
            assert await client.unary("/echo", b"1") == b"1"
        assert await client.unary("/echo", b"2") == b"2"


async def test_a_peer_that_goes_ends_its_calls() -> None:
    async with connected() as (client, theirs), client.call("/wait") as stream:
        await theirs.aclose()
        with pytest.raises(GrpcError) as raised:
            await stream.receive()
        assert raised.value.code == UNAVAILABLE
        with pytest.raises(GrpcError):
            await client.unary("/echo", b"")
