"""Files of the host into a container, and out of it again, for watch: one archive a batch."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any

import trio

from compose.engine_client import calls
from compose.errors import ComposeError
from compose.operations.hooks import exec_exit_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from compose.engine_client.transport import Engine

CHUNK = 1 << 16
#: What an archive may take in memory before it goes to a file.
IN_MEMORY = 4 << 20
#: Paths to remove at once; a command line has an end.
AT_ONCE = 500


async def send_files(engine: Engine, ref: str, copies: Mapping[str, str]) -> None:
    """Copy host path -> path inside. What has gone meanwhile is left out. Raises ComposeError."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        await trio.to_thread.run_sync(_pack, copies, spool)
        spool.seek(0)

        async def pieces() -> AsyncIterator[bytes]:
            while data := await trio.to_thread.run_sync(spool.read, CHUNK):
                yield data

        async with engine.stream(calls.write_archive(ref, "/"), upload=pieces()) as answer:
            await answer.whole()


def _pack(copies: Mapping[str, str], out: Any) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for source, target in sorted(copies.items(), key=lambda pair: pair[1]):
            try:
                entry = archive.gettarinfo(source, target.lstrip("/"))
                if entry.islnk():
                    entry.type, entry.linkname = tarfile.REGTYPE, ""
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                if entry.isdir() or entry.issym():
                    archive.addfile(entry)
                elif entry.isreg():
                    # Read whole first: a file that shrinks meanwhile must not spoil the archive.
                    with os.fdopen(os.open(source, os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
                        content = file.read()
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
            except OSError:
                continue  # it has gone, or may not be read: the next look will tell


async def remove_paths(engine: Engine, ref: str, paths: Iterable[str]) -> None:
    """Remove paths inside a running container, with its own rm. Raises ComposeError."""
    wanted = list(paths)
    for start in range(0, len(wanted), AT_ONCE):
        body = {"Cmd": ["rm", "-rf", "--", *wanted[start : start + AT_ONCE]], "User": "0"}
        made = (await engine.do(calls.create_exec(ref, body))).json()["Id"]
        await engine.do(calls.start_exec(made, detach=True, tty=False))
        code = await exec_exit_code(engine, made)
        if code:
            raise ComposeError(
                f"{ref[:12]}: rm ended with {code}: the image needs an rm for deletions to be synced"
            )
