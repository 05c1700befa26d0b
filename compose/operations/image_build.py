"""`image build`: an image of a folder, a URL or what comes on standard input, beside any project."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compose.engine_client import calls
from compose.engine_client.payloads.references import REMOTE
from compose.errors import ProjectError, UsageError
from compose.model.record import Record
from compose.operations.archives import CHUNK
from compose.operations.build_flags import gather_flags
from compose.operations.build_inputs import BuildInputs, agents_of
from compose.operations.build_view import BuildView
from compose.operations.building import OWN_SERVER, follow, warning, with_ahead
from compose.operations.context import Context, Upload
from compose.operations.credentials import registry_config
from compose.operations.portable_cache import FROM, TO, asked_of, bring, read_places, take_away
from compose.operations.pulling import push_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from compose.engine_client.transport import Engine
    from compose.operations.session import Session


#: What another engine's POST /build has no way to be given, by the flag.
OWN_ONLY = {
    "secrets": "--secret", "ssh": "--ssh", "contexts": "--build-context", "cache_to": "--cache-to",
    "no_cache_filter": "--no-cache-filter", "check": "--check",
}  # fmt: skip


class ImageBuildRequest(Record):
    """`context` is a folder, a URL or "-"; `query` the API's parameters; `dockerfile` a path, or "-"."""

    context: str
    query: Mapping[str, Any]
    dockerfile: str = ""
    quiet: bool = False
    push: bool = False
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    no_cache_filter: tuple[str, ...] = ()
    check: bool = False


def build(request: ImageBuildRequest, session: Session) -> str:
    """Build, telling how it goes; the image's id. Raises ComposeError."""
    image_id = ""

    async def main(engine: Engine) -> int:
        nonlocal image_id
        own = OWN_SERVER in (await engine.do(calls.PING)).headers.get("server", "")
        asked = [flag for name, flag in OWN_ONLY.items() if getattr(request, name)]
        if asked and not own:
            raise UsageError(
                f"{asked[0]} needs pycompose's own engine: this one takes it by BuildKit"
            )
        with agents_of(request.ssh, session.environment, "--ssh") as agents:
            image_id = await _build(engine, request, session, agents, own=own)
        for name in request.query.get("t", ()) if request.push else ():
            await push_image(engine, name, session.environment, session.progress)
        return 0

    if request.push and not request.query.get("t"):
        raise UsageError("--push needs a name to push: add --tag")
    session.run_async(session.client(), main)
    return image_id


async def _build(
    engine: Engine,
    request: ImageBuildRequest,
    session: Session,
    agents: Mapping[str, str],
    *,
    own: bool,
) -> str:
    environment = session.environment
    targets = read_places(request.cache_to, TO, "--cache-to")
    inputs = gather_flags(
        request.secrets, request.contexts, agents, environment, check=request.check,
        no_cache_filter=list(request.no_cache_filter), cache_to=asked_of(targets),
    )  # fmt: skip
    inputs, query, pieces = _context(request, inputs, own=own)
    view = BuildView(session, quiet=request.quiet)
    with view.of("") as tell:
        sources = read_places(request.cache_from, FROM, "--cache-from")
        if caches := await bring(engine, sources, lambda text: tell(warning(text))):
            query["cachefrom"] = json.dumps(caches)
        if own:
            query["progress"] = "events"
        ahead = inputs.encoded()
        call = calls.build_image(query, registry_config(environment), len(ahead))
        image_id, cache = await follow(engine, call, with_ahead(ahead, Upload(pieces)), tell)
        if cache:
            await take_away(engine, cache, targets, environment, lambda text: tell(warning(text)))
    return image_id


def _context(
    request: ImageBuildRequest, inputs: BuildInputs, *, own: bool
) -> tuple[BuildInputs, dict[str, Any], Iterator[bytes]]:
    """The inputs and parameters with those of the context, and its tar. Raises ProjectError."""
    query = dict(request.query)
    if request.context.startswith(REMOTE) or request.context == "-":
        if inputs.folders:
            raise ProjectError("--build-context: folders go with a context that is a folder only")
        query |= {"dockerfile": request.dockerfile} if request.dockerfile else {}
        if request.context != "-":
            return inputs, {**query, "remote": request.context}, iter(())
        return inputs, query, iter(lambda: sys.stdin.buffer.read(CHUNK), b"")
    inline = sys.stdin.read() if request.dockerfile == "-" else ""
    if request.dockerfile == "-" and not inline.strip():
        raise ProjectError("the Dockerfile on standard input is empty")
    folder = Path(request.context)
    named = "" if inline else from_folder(folder, request.dockerfile)
    context = Context(folder, named, inline, apart=own, folders=inputs.folders)
    if context.text is not None:
        inputs = BuildInputs({**inputs.document, "dockerfile": context.text}, inputs.folders)
    return inputs, {**query, "dockerfile": context.dockerfile}, context.pieces()


def from_folder(folder: Path, dockerfile: str) -> str:
    """A Dockerfile is named from where the person is, a context's own from the context."""
    if not dockerfile:
        return ""
    own = Path(dockerfile)
    return str((own if own.is_file() else folder / own).absolute())
