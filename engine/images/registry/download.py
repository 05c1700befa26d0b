"""A blob from a registry into the store: resumed where it broke off, checked before it is there.

What arrived stays in a partial file when the download fails, is cancelled or the engine is killed;
the next download of that digest goes on from it. Writing and hashing happen in a thread.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import httpx
import trio

from engine.errors import HostLimitError
from engine.images.registry.answers import RegistryError, backoff
from engine.images.registry.client import CHUNK, SILENCES, generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.images.blobs import BlobStore, PartialBlob
    from engine.images.registry.client import RegistryClient
    from engine.images.registry.manifest import Descriptor


async def download(
    client: RegistryClient,
    repository: str,
    blob: Descriptor,
    store: BlobStore,
    tell: Callable[[int], None] = lambda _size: None,
) -> None:
    """Make the store have a blob. `tell` is given the bytes there are, from time to time.

    Raises RegistryError, NotFoundError, AccessDeniedError; HostLimitError where the disk is full.
    """
    partial = await trio.to_thread.run_sync(store.partial, blob.digest)
    try:
        if partial.size > blob.size:
            await trio.to_thread.run_sync(partial.restart)
        tries = 0
        while partial.size < blob.size:
            before = partial.size
            try:
                await _fetch(client, repository, blob, partial, tell)
                broke = f"ends after {partial.size} of {blob.size} bytes"
            except httpx.TimeoutException:
                broke = "the registry was silent for too long"
                tries += client.attempts // SILENCES
            except (httpx.TransportError, httpx.StreamError) as error:
                broke = f"the connection broke: {str(error) or type(error).__name__}"
            if partial.size >= blob.size:
                break
            tries = 0 if partial.size > before else tries + 1
            if tries >= client.attempts:
                raise RegistryError(f"blob {blob.digest}: {broke}")
            await trio.sleep(backoff(tries))
        if not await trio.to_thread.run_sync(partial.commit):
            raise RegistryError(f"blob {blob.digest} arrived with another digest: refused")
    except OSError as error:
        raise HostLimitError(f"cannot keep the blob {blob.digest}: {error.strerror}") from error
    finally:
        partial.close()


async def _fetch(
    client: RegistryClient,
    repository: str,
    blob: Descriptor,
    partial: PartialBlob,
    tell: Callable[[int], None],
) -> None:
    """Append what one answer has; the end may come early."""
    async with client.blob(repository, blob.digest, partial.size) as response:
        goes_on = response.headers.get("content-range", "").startswith(f"bytes {partial.size}-")
        if partial.size and not (response.status_code == 206 and goes_on):
            await trio.to_thread.run_sync(partial.restart)  # it knows no ranges
            if response.status_code != 200:
                return
        async with aclosing(generator(response.aiter_raw(CHUNK))) as chunks:
            async for chunk in chunks:
                if partial.size + len(chunk) > blob.size:
                    await trio.to_thread.run_sync(partial.restart)
                    raise RegistryError(
                        f"blob {blob.digest} is larger than the {blob.size} bytes promised"
                    )
                await trio.to_thread.run_sync(partial.write, chunk)
                tell(partial.size)
