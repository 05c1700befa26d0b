"""BuildKit's Control and LLBBridge services, as far as Dockerfile builds need them (POST /grpc).

A build is asked for in two calls: Control.Solve opens it, and LLBBridge.Solve (of the client's own
gateway) names the frontend, dockerfile.v0; a client without a gateway says it all in the first. What
is no Dockerfile (raw LLB, other frontends and exporters) is refused by name.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from engine.api.buildkit.cache_options import read_attribute, read_cache, read_gateway_imports
from engine.api.buildkit.errors import UNIMPLEMENTED, GrpcError
from engine.api.buildkit.grpc import Connection
from engine.api.buildkit.ongoing import Ongoing
from engine.api.buildkit.options import read_options
from engine.api.buildkit.protobuf import Message, encode, mapping, repeated
from engine.api.buildkit.sessions import SessionGiver
from engine.api.buildkit.status import StatusLog
from engine.api.buildkit.transfer import fetch_material
from engine.build.platforms import local_platform
from engine.errors import EngineError, InvalidRequestError

if TYPE_CHECKING:
    from engine.api.buildkit.grpc import Stream
    from engine.api.engine import Engine
    from engine.api.exchange import Exchange

CONTROL, BRIDGE = "/moby.buildkit.v1.Control/", "/moby.buildkit.v1.frontend.LLBBridge/"
HEALTH = "/grpc.health.v1.Health/Check"
FRONTEND = "dockerfile.v0"
#: The gateway's abilities that its client may use (util/apicaps).
CAPABILITIES = ("solve.base", "solve.inlinereturn", "return", "returnmap", "proto.refarray", "frontend.inputs",
                "resolveimage", "gateway.solve.metadata", "reference.output", "importcaches")  # fmt: skip
VERSION = "v0.25.0"


async def grpc(engine: Engine, exchange: Exchange) -> None:
    """POST /grpc: the connection becomes HTTP/2, with us as the server."""
    if exchange.request.headers.get("upgrade", "").lower() != "h2c":
        raise InvalidRequestError("/grpc needs an upgrade to h2c")
    async for _ in exchange.body():
        pass
    stream = await exchange.switch({"Connection": "Upgrade", "Upgrade": "h2c"})
    connection = Connection(stream, client=False, early=exchange.early())
    handlers = Handlers(engine)
    await connection.run(handlers.handle)


class Handlers:
    """The calls of one connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def handle(self, path: str, stream: Stream) -> None:
        """Answer one call. Raises GrpcError, EngineError."""
        if path == f"{CONTROL}Status":
            await self._status(stream)
            return
        if path == f"{CONTROL}Solve":
            await stream.send(await self._solve(Message(await stream.receive() or b"")))
            return
        found = self._others.get(path)
        if found is None:
            raise GrpcError(UNIMPLEMENTED, f"{path.strip('/')} is not supported by this engine")
        raw = await stream.receive()
        await stream.send(await found(self, Message(raw or b""), stream))

    async def _solve(self, request: Message) -> bytes:
        """Control.Solve."""
        if request.has(2) and request.message(2).fields:
            raise GrpcError(UNIMPLEMENTED, "raw LLB is not supported: build a Dockerfile")
        exporter, attributes = request.text(3), request.mapping(4)
        if request.all(13):
            first = Message(request.all(13)[0])
            exporter, attributes = first.text(1), first.mapping(2)
        if exporter not in ("", "moby", "image", "docker"):
            raise GrpcError(
                UNIMPLEMENTED, f"the exporter {exporter} is not supported: export an image"
            )
        ref = request.text(1)
        cache = read_cache(request.message(8))
        build = Ongoing(ref, request.text(5), StatusLog(ref), attributes, cache)
        self._engine.builds.add(build)
        try:
            frontend = request.text(6)
            if frontend:
                await self._build(build, frontend, request.mapping(7))
            else:
                await build.returned.wait()
            if build.error:
                raise EngineError(build.error)
            return self._answer(build)
        finally:
            build.status.end()
            self._engine.builds.remove(ref)

    def _answer(self, build: Ongoing) -> bytes:
        response = {}
        if build.image_id:
            names = build.attributes.get("name", "")
            image = self._engine.images.find(build.image_id)
            index = self._engine.images.index_of(build.image_id)
            for name in filter(None, names.split(",")):
                self._engine.images.tag(image, name, index=index)
            response = {
                "containerimage.digest": build.image_id, "containerimage.config.digest": image.id,
                "image.name": names,
            }  # fmt: skip
        return mapping(1, {key: value for key, value in response.items() if value})

    async def _build(self, build: Ongoing, frontend: str, options: dict[str, str]) -> None:
        """One Dockerfile. Raises EngineError."""
        if frontend != FRONTEND:
            raise GrpcError(
                UNIMPLEMENTED, f"the frontend {frontend} is not supported: use {FRONTEND}"
            )
        engine = self._engine
        connection = await engine.sessions.find(build.session)
        request, sources = read_options(options)
        cache = build.cache.joined(read_attribute(options))
        request = replace(
            request, cache_from=cache.sources, cache_to="inline" if cache.inline else "",
            not_honoured=cache.others,
        )  # fmt: skip
        async with engine.builder.workplace() as work:
            material = await fetch_material(connection, request, sources, work)
            giver, tell = SessionGiver(connection), build.status.tell
            build.image_id = await engine.builder.build(request, material, work, tell, giver)

    async def _status(self, stream: Stream) -> None:
        """Control.Status: all that the build tells, to its end."""
        request = Message(await stream.receive() or b"")
        build = await self._engine.builds.find(request.text(1))
        async for response in build.status.follow():
            await stream.send(response)

    async def _ongoing(self, stream: Stream) -> Ongoing:
        return await self._engine.builds.find(stream.headers.get("buildkit-controlapi-buildid", ""))

    async def _ping(self, _request: Message, stream: Stream) -> bytes:
        """LLBBridge.Ping."""
        await self._ongoing(stream)
        capabilities = [encode((1, name), (2, 1)) for name in CAPABILITIES]
        return repeated(1, capabilities) + repeated(2, []) + repeated(3, [self._worker()])

    async def _bridge_solve(self, request: Message, stream: Stream) -> bytes:
        """LLBBridge.Solve."""
        build = await self._ongoing(stream)
        if request.has(1) and request.message(1).fields:
            raise GrpcError(UNIMPLEMENTED, "raw LLB is not supported: build a Dockerfile")
        build.cache = build.cache.joined(read_gateway_imports(request))
        await self._build(build, request.text(2), request.mapping(3))
        result = encode((3, encode((1, build.image_id or "none"))))
        if build.image_id:
            config = json.dumps(self._engine.images.find(build.image_id).document)
            result += mapping(10, {"containerimage.config": config})
        return encode((1, build.image_id), (3, result))

    async def _return(self, request: Message, stream: Stream) -> bytes:
        """LLBBridge.Return: the client's gateway is done."""
        build = await self._ongoing(stream)
        if request.has(2):
            build.error = request.message(2).text(2)
        build.returned.set()
        return b""

    async def _workers(self, _request: Message, _stream: Stream) -> bytes:
        """Control.ListWorkers."""
        return repeated(1, [self._worker()])

    async def _info(self, _request: Message, _stream: Stream) -> bytes:
        """Control.Info."""
        return encode((1, encode((1, "pycompose"), (2, VERSION), (3, self._engine.version))))

    async def _healthy(self, _request: Message, _stream: Stream) -> bytes:
        """grpc.health.v1: serving."""
        return encode((1, 1))

    def _worker(self) -> bytes:
        platform = local_platform()
        labels = mapping(2, {"org.mobyproject.buildkit.worker.moby.host-gateway-ip": ""})
        own = encode((1, platform.architecture), (2, platform.os), (3, platform.variant))
        return encode((1, self._engine.id)) + labels + repeated(3, [own])

    _others: ClassVar[dict[str, Any]] = {
        f"{CONTROL}ListWorkers": _workers,
        f"{CONTROL}Info": _info,
        f"{BRIDGE}Ping": _ping,
        f"{BRIDGE}Solve": _bridge_solve,
        f"{BRIDGE}Return": _return,
        HEALTH: _healthy,
    }
