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
from engine.images.indexes import IndexTable, preferred
from engine.images.layers import LayerStore, remove_tree
from engine.images.model import Image, Layer, encode_config, going_with
from engine.images.names import ImageNames, Target
from engine.images.pack import measure
from engine.images.platforms import local_platform
from engine.images.records import ImageRecords
from engine.images.reference import parse_reference
from engine.images.registry.manifest import digest_of, provides
from engine.images.unpack import SIZE_LIMIT
from engine.storage.spread import spread_folders_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.events.bus import EventBus
    from engine.images.indexes import ImageIndex
    from engine.images.reference import Reference
    from engine.images.registry.manifest import Platform
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
        platform: Platform | None = None,
    ) -> None:
        # Layers and contexts: thousands of files that come at once.
        spread_folders_in(layout.scratch)
        self.scratch = layout.scratch
        self.blobs = BlobStore(layout.blobs, layout.scratch)
        self.layers = LayerStore(layout.layers, layout.scratch, database, layer_limit)
        self.indexes = IndexTable(database)
        self.platform = platform or local_platform()
        self._names = ImageNames(database)
        self._records = ImageRecords(database, self._names, self.indexes)
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
        return self._records.all()

    def find(self, name: str, platform: Platform | None = None) -> Image:
        """By name[:tag], name@digest, id (an image's or an index's) or a prefix of one.

        Of an image for several platforms this host's, or the one that is asked for. Raises NotFoundError.
        """
        found = self._names.target(name)
        image = self._records.get(found.image if found else name)
        index = self.index_of(name)
        if image is None and index is not None:
            image = self._records.get(self._preferred(index))
        if image is None:
            raise NotFoundError(f"No such image: {name}")
        if platform is None or provides(image.platform, platform):
            return image
        for member in index.members if index else ():
            other = self.known(member.image)
            if other is not None and provides(member.platform, platform):
                return other
        raise NotFoundError(
            f"image with reference {name} was found but does not provide the specified platform "
            f"({platform})"
        )

    def index_of(self, name: str) -> ImageIndex | None:
        """The index that a name, or the id of one, stands for; None for an image of one platform."""
        found = self._names.target(name)
        if found is None:
            return (
                None if ":" in name and not name.startswith("sha256:") else self.indexes.get(name)
            )
        return self.indexes.get(found.index) if found.index else None

    def means(self, name: str, image_id: str) -> bool:
        """Whether a name stands for an image, for whatever platform. Raises NotFoundError."""
        index = self.index_of(name)
        return self.find(name).id == image_id or (index is not None and image_id in index.images)

    def known(self, image_id: str) -> Image | None:
        """By its whole id; None if it is not here."""
        return self._records.get(image_id) if image_id else None

    def lower_dirs(self, image: Image) -> tuple[str, ...]:
        """The unpacked layers, the topmost first. Raises NotFoundError if one is missing."""
        paths = []
        for chain_id in image.chain_ids:
            path = self.layers.path(chain_id)
            if path is None:
                raise NotFoundError(f"a layer of {image.id} is missing: pull or build it again")
            paths.append(path)
        return tuple(reversed(paths))

    def tag(
        self, image: Image, name: str, *, quiet: bool = False, index: ImageIndex | None = None
    ) -> str:
        """Give an image a name, or its index; whoever had it loses it. Returns the complete familiar name."""
        reference = parse_reference(name)
        if reference.digest:
            raise InvalidRequestError(f'cannot tag with a digest: "{name}"')
        self._name(image, reference.familiar, index)
        self._records.note(image.id, "$.tagged", time.time_ns())
        if not quiet:
            self._events.publish("image", "tag", image.id, {"name": reference.familiar})
        return reference.familiar

    def remember_digest(
        self, image: Image, reference: Reference, digest: str, index: ImageIndex | None = None
    ) -> None:
        """Note that a registry has the image under this digest, so that it can be asked for by it."""
        self._name(image, f"{reference.familiar_name}@{digest}", index)

    def keep_index(self, raw: bytes, index: ImageIndex) -> ImageIndex:
        """Keep an index, for whoever names it next; what is known of its members stays known."""
        self.blobs.put(raw)
        return self.indexes.put(index)

    def replace_index(self, old: ImageIndex, new: ImageIndex) -> None:
        """Whatever names an index names another from now on, which holds the same images."""
        image = self._preferred(new)
        for reference in self._names.by_index().get(old.id, ()):
            if "@" not in reference:
                self._names.point(reference, Target(image, new.id))

    def remember_blobs(self, image: Image, manifest: bytes, kind: str) -> None:
        """Note the blobs that an image's layers are in a registry, and its manifest there."""
        layers = [[la.diff_id, la.blob, la.media_type, la.size] for la in image.layers]
        self._records.note(image.id, "$.layers", layers)
        self._records.note(image.id, "$.manifest", [self.blobs.put(manifest), kind])

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

    def _name(self, image: Image, reference: str, index: ImageIndex | None = None) -> None:
        target = Target(self._preferred(index) or image.id, index.id) if index else Target(image.id)
        self._names.point(reference, target)

    def _preferred(self, index: ImageIndex) -> str:
        here = {one for one in index.images if self._records.get(one)}
        return preferred(index, here, self.platform)

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
        self._records.insert(image_id, kept)
        if manifest:  # it may have been here without its blobs
            self._records.note(image_id, "$.layers", kept["layers"])
            self._records.note(image_id, "$.manifest", kept["manifest"])
        image = self._records.get(image_id)
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
        self._records.delete(image.id)
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
            users = self._all_users(image)
            if len(going) == len(image.names) and users and not force:
                raise ConflictError(
                    f'conflict: unable to remove repository reference "{name}" (must force) - '
                    f"container {users[0][:12]} is using its referenced image {image.id[7:19]}"
                )
        else:
            self._check_deletable(image, force=force)
            going = list(image.names)
        done: list[dict[str, str]] = []
        others = self._untag(going, image, done)
        gone = self._delete(image.id, done, with_parents=with_parents, held=not reference)
        for other in others:
            gone |= self._delete(other, done, with_parents=with_parents)
        if gone:
            await self.sweep()
        return done

    async def remove_platform(self, name: str, platform: Platform) -> list[dict[str, str]]:
        """Remove one platform's image of what a name stands for; the name stays while others are left.

        Raises ConflictError while it is in use, NotFoundError.
        """
        index = self.index_of(name)
        image = self.find(name, platform)
        if index is None or not any(self.known(one) for one in index.images if one != image.id):
            return await self.remove(name)
        if users := self.users(image.id):
            raise ConflictError(
                f"conflict: unable to delete {image.id[7:19]} (must be forced) - image is being "
                f"used by container {users[0][:12]}"
            )
        for reference in image.names:  # of the index, they go over to another of its images
            there = self.index_of(reference)
            others = [one for one in there.images if one != image.id] if there else []
            here = [one for one in others if self.known(one)]
            if there and here:
                self._names.point(
                    reference, Target(preferred(there, here, self.platform), there.id)
                )
        done: list[dict[str, str]] = []
        if self._delete(image.id, done, held=True):
            await self.sweep()
        return done

    def _all_users(self, image: Image) -> list[str]:
        """The containers of an image, and of those that go with it when its names go."""
        indexes = filter(None, map(self.index_of, image.names))
        members = {one for index in indexes for one in index.images} - {image.id}
        return [user for one in (image.id, *sorted(members)) for user in self.users(one)]

    async def prune(
        self, *, dangling: bool = True, fits: Callable[[Image], bool] = lambda _image: True
    ) -> tuple[list[dict[str, str]], int]:
        """Remove images without a name (or all that no container uses); what and how many bytes.

        An image without a name that others are built on is not dangling: it goes with them; and so does
        one that is part of an index that has a name. `fits` says which of them may go at all.
        """
        done: list[dict[str, str]] = []
        for image in self.all():
            if image.held and not image.names:
                continue
            if self._all_users(image) or (dangling and image.references) or not fits(image):
                continue
            if image.names or not self._records.has_children(image.id):
                others = self._untag(list(image.names), image, done)
                for one in (image.id, *others):
                    self._delete(one, done)
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
        needed.update(self._names.by_index())
        for index in self.indexes.all():
            if any(map(self.known, index.images)):
                needed.add(index.id)
            elif index.id not in needed:
                self.indexes.drop(index.id)
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
        if self._records.has_children(image.id):
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
        self,
        image_id: str,
        done: list[dict[str, str]],
        *,
        with_parents: bool = True,
        held: bool = False,
    ) -> bool:
        """Delete an image that has no name, no user and no child; then its parent, likewise.

        One that is part of a named index goes only if asked for itself (`held`). True if anything was
        deleted.
        """
        image = self.known(image_id)
        if image is None or image.names or (image.held and not held):
            return False
        if self.users(image.id) or self._records.has_children(image.id):
            return False
        self._records.delete(image.id)
        done.append({"Deleted": image.id})
        self._events.publish("image", "delete", image.id, {"name": image.id})
        if with_parents and image.parent:
            self._delete(image.parent, done)
        return True

    def _untag(self, references: list[str], image: Image, done: list[dict[str, str]]) -> set[str]:
        """Take names away; the other images of their indexes, which may have to go too."""
        others: set[str] = set()
        for reference in references:
            index = self.index_of(reference)
            others.update(index.images if index else ())
            self._names.drop(reference)
            done.append({"Untagged": reference})
            self._events.publish("image", "untag", image.id, {"name": reference})
        return others - {image.id}

    def reference_of(self, name: str) -> str | None:
        """The reference that a name means, if some image has it."""
        return self._names.complete(name)


def spool(folder: Path) -> IO[bytes]:
    """A nameless file in scratch for a request's body."""
    return tempfile.TemporaryFile(dir=folder)
