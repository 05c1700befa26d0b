"""Images: found by name or id, listed, tagged, added, removed; and what nothing needs swept away."""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import trio

from engine.errors import ConflictError, InvalidRequestError, NotFoundError
from engine.images.blobs import BlobStore
from engine.images.layers import LayerStore, remove_tree
from engine.images.model import Image, Layer, encode_config, going_with
from engine.images.pack import measure
from engine.images.reference import parse_reference
from engine.images.registry.manifest import digest_of
from engine.images.unpack import SIZE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.events.bus import EventBus
    from engine.images.reference import Reference
    from engine.storage.database import Database
    from engine.storage.paths import Layout


#: Layers unpacked side by side in one engine: more would only share the same disk.
UNPACKING = 3


class Images:
    """All images of one engine. What blocks runs in a thread; what decides is quick."""

    def __init__(
        self,
        layout: Layout,
        database: Database,
        events: EventBus,
        layer_limit: int = SIZE_LIMIT,
    ) -> None:
        layout.scratch.mkdir(parents=True, exist_ok=True)
        self.scratch = layout.scratch
        self.blobs = BlobStore(layout.blobs, layout.scratch)
        self.layers = LayerStore(layout.layers, layout.scratch, database, layer_limit)
        self._database = database
        self._events = events
        #: image ids that containers use; set by who knows (containers stand above images)
        self.users: Callable[[str], list[str]] = lambda _image_id: []
        #: give the chain ids of layers that others than images need: the build cache's
        self.keepers: list[Callable[[], set[str]]] = []
        #: digests of what is on its way to become an image: not to be swept away
        self._held: Counter[str] = Counter()
        #: layers unpacked side by side, whoever asks for it
        self.unpacking = trio.CapacityLimiter(UNPACKING)

    def all(self) -> list[Image]:
        """Every image, the newest first."""
        rows = self._database.rows("SELECT id, document FROM images ORDER BY created_ns DESC")
        names: dict[str, list[str]] = {}
        for reference, image_id in self._database.rows(
            "SELECT reference, image_id FROM image_references"
        ):
            names.setdefault(image_id, []).append(reference)
        return [
            self._image(image_id, document, names.get(image_id, [])) for image_id, document in rows
        ]

    def find(self, name: str) -> Image:
        """By name[:tag], name@digest, id or a prefix of one. Raises NotFoundError."""
        image = self._by_reference(name) or self._by_id(name)
        if image is None:
            raise NotFoundError(f"No such image: {name}")
        return image

    def known(self, image_id: str) -> Image | None:
        """By its whole id; None if it is not here."""
        return self._by_id(image_id) if image_id else None

    def lower_dirs(self, image: Image) -> tuple[str, ...]:
        """The unpacked layers, the topmost first. Raises NotFoundError if one is missing."""
        paths = []
        for chain_id in image.chain_ids:
            path = self.layers.path(chain_id)
            if path is None:
                raise NotFoundError(f"a layer of {image.id} is missing: pull or build it again")
            paths.append(path)
        return tuple(reversed(paths))

    def tag(self, image: Image, name: str, *, quiet: bool = False) -> str:
        """Give an image a name; whoever had it loses it. Returns the complete familiar name."""
        reference = parse_reference(name)
        if reference.digest:
            raise InvalidRequestError(f'cannot tag with a digest: "{name}"')
        self._name(image, reference.familiar)
        self._note(image.id, "$.tagged", time.time_ns())
        if not quiet:
            self._events.publish("image", "tag", image.id, {"name": reference.familiar})
        return reference.familiar

    def remember_digest(self, image: Image, reference: Reference, digest: str) -> None:
        """Note that a registry has the image under this digest, so that it can be asked for by it."""
        self._name(image, f"{reference.familiar_name}@{digest}")

    def remember_blobs(self, image: Image, manifest: bytes, kind: str) -> None:
        """Note the blobs that an image's layers are in a registry, and its manifest there."""
        layers = [[la.diff_id, la.blob, la.media_type, la.size] for la in image.layers]
        self._note(image.id, "$.layers", layers)
        self._note(image.id, "$.manifest", [self.blobs.put(manifest), kind])

    def repositories_with(self, blob: str, reference: Reference) -> list[str]:
        """Other repositories of the same registry that have a layer's blob, as far as we know."""
        found = {
            other.path
            for image in self.all()
            if any(layer.blob == blob for layer in image.layers)
            for other in map(parse_reference, image.digests)
            if other.host == reference.host and other.path != reference.path
        }
        return sorted(found)

    def _note(self, image_id: str, key: str, value: Any) -> None:
        self._database.execute(
            "UPDATE images SET document = json_set(document, ?, json(?)) WHERE id = ?",
            (key, json.dumps(value), image_id),
        )

    def _name(self, image: Image, reference: str) -> None:
        self._database.execute(
            "INSERT INTO image_references (reference, image_id) VALUES (?, ?) "
            "ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id",
            (reference, image.id),
        )

    def add(self, document: dict[str, Any], layers: tuple[Layer, ...], parent: str = "") -> Image:
        """Store an image whose layers are here already. Idempotent."""
        raw = encode_config(document)
        image_id = digest_of(raw)
        return self.add_raw(raw, image_id, layers, parent)

    def add_raw(
        self,
        raw: bytes,
        image_id: str,
        layers: tuple[Layer, ...],
        parent: str = "",
        manifest: tuple[bytes, str] | None = None,
    ) -> Image:
        """The same with the config's bytes as they came; their digest is the id.

        `manifest`: the bytes and the media type of the manifest that the image came with.
        """
        self.blobs.put(raw)
        kept = {
            "config": json.loads(raw),
            "layers": [[la.diff_id, la.blob, la.media_type, la.size] for la in layers],
            "parent": parent,
            "manifest": [self.blobs.put(manifest[0]), manifest[1]] if manifest else ["", ""],
        }
        self._database.execute(
            "INSERT INTO images (id, created_ns, document) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (image_id, time.time_ns(), json.dumps(kept)),
        )
        if manifest:  # it may have been here without its blobs
            self._note(image_id, "$.layers", kept["layers"])
            self._note(image_id, "$.manifest", kept["manifest"])
        image = self._by_id(image_id)
        assert image is not None
        return image

    async def add_layer(self, parent: Image | None, upper: Path, document: dict[str, Any]) -> Image:
        """An image with one more layer, made from an overlay's upper folder, which is consumed."""
        diff_id, size = await trio.to_thread.run_sync(measure, str(upper))
        below = parent.layers if parent else ()
        layer = Layer(diff_id, size=size)
        draft = Image("", document, (*below, layer))
        chain = draft.chain_ids
        below_id = chain[-2] if len(chain) > 1 else ""
        self.layers.adopt(upper, chain[-1], diff_id, below_id, size)
        document = {**document, "rootfs": {"type": "layers", "diff_ids": list(draft.diff_ids)}}
        return self.add(document, draft.layers, parent.id if parent else "")

    def lower_of(self, chains: tuple[str, ...]) -> tuple[str, ...]:
        """The folders of a stack of layers (lowest first), the topmost first. Raises NotFoundError."""
        folders = [self.layers.path(chain) for chain in chains]
        if None in folders:
            raise NotFoundError("a layer went away during the build: build again")
        return tuple(folder for folder in reversed(folders) if folder)

    def add_draft(self, layers: tuple[Layer, ...]) -> Image:
        """An image without a name, for one container to run from; whoever made it drops it."""
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
        return self.add({"draft": secrets.token_hex(8), "config": {}, "rootfs": rootfs}, layers)

    def drop_draft(self, image: Image) -> None:
        """Forget an image that never had a name nor an event: what a build step ran from. Idempotent."""
        self._database.execute("DELETE FROM images WHERE id = ?", (image.id,))
        self.blobs.remove(image.id)

    async def add_archive(self, raw: IO[bytes], document: dict[str, Any]) -> Image:
        """An image of one layer from a tar of a root file system (docker import)."""
        folder, _, _ = await trio.to_thread.run_sync(self.layers.unpack, raw)
        return await self.add_layer(None, folder, document)

    async def remove(
        self, name: str, *, force: bool = False, with_parents: bool = True
    ) -> list[dict[str, str]]:
        """Untag or delete, by Docker's rules; what was done, in Docker's words.

        An image that others are built on stays, without a name, and goes with the last of them
        (but for `with_parents` False). Raises ConflictError while it is needed, NotFoundError.
        """
        image = self.find(name)
        reference = self.reference_of(name)
        if reference:
            going = going_with(reference, image)
            last = len(going) == len(image.names)
            users = self.users(image.id)
            if last and users and not force:
                raise ConflictError(
                    f'conflict: unable to remove repository reference "{name}" (must force) - '
                    f"container {users[0][:12]} is using its referenced image {image.id[7:19]}"
                )
        else:
            self._check_deletable(image, force=force)
            going = list(image.names)
        done: list[dict[str, str]] = []
        self._untag(going, image, done)
        if self._delete(image.id, done, with_parents=with_parents):
            await self.sweep()
        return done

    async def prune(
        self, *, dangling: bool = True, fits: Callable[[Image], bool] = lambda _image: True
    ) -> tuple[list[dict[str, str]], int]:
        """Remove images without a name (or all that no container uses); what and how many bytes.

        An image without a name that others are built on is not dangling: it goes with them.
        `fits` says which of them may go at all.
        """
        done: list[dict[str, str]] = []
        for image in self.all():
            if self.users(image.id) or (dangling and image.references) or not fits(image):
                continue
            if image.names or not self._has_children(image.id):
                self._untag(list(image.names), image, done)
                self._delete(image.id, done)
        freed = await trio.to_thread.run_sync(self.blobs.forget_partial, time.time() - 60)
        return done, freed + await self.sweep()

    async def recover(self) -> None:
        """At the start: what an engine that died left half done is taken away.

        Blobs that a pull had fetched already are kept for its next try, for a week as partial ones.
        """
        for grave in self.layers.collect_orphans():
            await trio.to_thread.run_sync(remove_tree, grave)
        await self.sweep(aside=True)
        week = time.time() - 7 * 86400
        await trio.to_thread.run_sync(self.blobs.forget_partial, week)

    async def sweep(self, *, aside: bool = False) -> int:
        """Remove layers and blobs that no image needs and nobody holds; the bytes freed.

        Blobs are not removed but made partial ones if they are to go `aside`.
        """
        needed = set(self._held).union(*(keeper() for keeper in self.keepers))
        for image in self.all():
            needed.update(image.chain_ids, [image.id, image.manifest])
            needed.update(layer.blob for layer in image.layers)
        freed = 0
        graves = []
        for chain in self.layers.all():
            if chain not in needed:
                freed += self.layers.size(chain)
                graves.append(self.layers.forget(chain))
        for digest in self.blobs.all():
            if digest not in needed:
                freed += self.blobs.size(digest)
                (self.blobs.set_aside if aside else self.blobs.remove)(digest)
        for grave in filter(None, graves):
            await trio.to_thread.run_sync(remove_tree, grave)
        return freed

    @contextmanager
    def holding(self, *digests: str) -> Iterator[None]:
        """While inside, layers (by chain id) and blobs are kept that belong to no image yet."""
        self._held.update(digests)
        try:
            yield
        finally:
            self._held -= Counter(digests)

    def _check_deletable(self, image: Image, *, force: bool) -> None:
        """Raises ConflictError in Docker's words."""
        users = self.users(image.id)
        if self._has_children(image.id):
            how, why = "cannot be forced", "image has dependent child images"
        elif users:
            how = "cannot be forced" if force else "must be forced"
            kind = "container" if force else "stopped container"
            why = f"image is being used by {kind} {users[0][:12]}"
        elif len(image.references) > 1 and not force:
            how, why = "must be forced", "image is referenced in multiple repositories"
        else:
            return
        raise ConflictError(f"conflict: unable to delete {image.id[7:19]} ({how}) - {why}")

    def _delete(
        self, image_id: str, done: list[dict[str, str]], *, with_parents: bool = True
    ) -> bool:
        """Delete an image that has no name, no user and no child; then its parent, likewise.

        True if anything was deleted.
        """
        image = self._by_id(image_id)
        if image is None or image.names or self.users(image.id) or self._has_children(image.id):
            return False
        self._database.execute("DELETE FROM images WHERE id = ?", (image.id,))
        done.append({"Deleted": image.id})
        self._events.publish("image", "delete", image.id, {"name": image.id})
        if with_parents and image.parent:
            self._delete(image.parent, done)
        return True

    def _has_children(self, image_id: str) -> bool:
        query = "SELECT 1 FROM images WHERE json_extract(document, '$.parent') = ? LIMIT 1"
        return bool(self._database.rows(query, (image_id,)))

    def _untag(self, references: list[str], image: Image, done: list[dict[str, str]]) -> None:
        for reference in references:
            self._database.execute("DELETE FROM image_references WHERE reference = ?", (reference,))
            done.append({"Untagged": reference})
            self._events.publish("image", "untag", image.id, {"name": reference})

    def reference_of(self, name: str) -> str | None:
        """The reference that a name means, if some image has it."""
        try:
            wanted = parse_reference(name)
        except InvalidRequestError:
            return None
        at = f"{wanted.familiar_name}@{wanted.digest}" if wanted.digest else wanted.familiar
        query = "SELECT reference FROM image_references WHERE reference = ?"
        rows = self._database.rows(query, (at,))
        return str(rows[0][0]) if rows else None

    def _by_reference(self, name: str) -> Image | None:
        rows = self._database.rows(
            "SELECT image_id FROM image_references WHERE reference = ?",
            (self.reference_of(name),),
        )
        return self._by_id(rows[0][0]) if rows else None

    def _by_id(self, name: str) -> Image | None:
        prefix = name.removeprefix("sha256:")
        if not prefix or len(prefix) > 64 or set(prefix) - set("0123456789abcdef"):
            return None
        rows = self._database.rows(
            "SELECT id, document FROM images WHERE id >= ? AND id < ?",
            (f"sha256:{prefix}", f"sha256:{prefix}g"),
        )
        if len(rows) > 1:
            raise InvalidRequestError(f"the image id {name} is ambiguous: give more of it")
        if not rows:
            return None
        names = self._database.rows(
            "SELECT reference FROM image_references WHERE image_id = ? ORDER BY reference",
            (rows[0][0],),
        )
        return self._image(rows[0][0], rows[0][1], [row[0] for row in names])

    def _image(self, image_id: str, document: str, references: list[str]) -> Image:
        kept = json.loads(document)
        layers = tuple(Layer(*fields) for fields in kept["layers"])
        return Image(
            image_id,
            kept["config"],
            layers,
            references=tuple(name for name in references if "@" not in name),
            size=sum(layer.size for layer in layers),
            parent=kept["parent"],
            digests=tuple(name for name in references if "@" in name),
            manifest=kept.get("manifest", ["", ""])[0],
            manifest_type=kept.get("manifest", ["", ""])[1],
            tagged_ns=kept.get("tagged", 0),
        )


def spool(folder: Path) -> IO[bytes]:
    """A nameless file in scratch for a request's body."""
    return tempfile.TemporaryFile(dir=folder)
