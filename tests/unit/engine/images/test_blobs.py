"""Blobs: complete or absent, named by what they hold; parts of them kept for the next try."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from engine.errors import EngineError, NotFoundError
from engine.images.blobs import BlobStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    (tmp_path / "scratch").mkdir()
    return BlobStore(tmp_path / "blobs", tmp_path / "scratch")


def digest(raw: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


def test_what_is_put_is_read(store: BlobStore) -> None:
    name = store.put(b"hello")
    assert name == digest(b"hello")
    assert (store.read(name), store.size(name), store.all()) == (b"hello", 5, [name])
    store.remove(name)
    store.remove(name)
    with pytest.raises(NotFoundError):
        store.read(name)


def test_a_damaged_blob_is_noticed_by_who_reads_it(store: BlobStore) -> None:
    name = store.put(b"hello")
    Path(store.path(name)).write_bytes(b"hallo")
    with pytest.raises(EngineError, match="damaged on disk"):
        store.read(name)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_parts_are_gone_on_with(store: BlobStore, algorithm: str) -> None:
    raw = os.urandom(3000)
    name = digest(raw, algorithm)
    first = store.partial(name)
    first.write(raw[:1000])
    first.close()
    assert not store.has(name)
    second = store.partial(name)
    assert second.size == 1000
    second.write(raw[1000:])
    assert second.commit()
    assert store.read(name) == raw
    third = store.partial(name)
    assert third.size == 0
    third.close()


def test_parts_of_something_else_are_dropped(store: BlobStore) -> None:
    part = store.partial(digest(b"right"))
    part.write(b"wrong")
    assert not part.commit()
    assert store.all() == []
    again = store.partial(digest(b"right"))
    assert again.size == 0
    again.write(b"ri")
    again.restart()
    again.write(b"right")
    assert again.commit()


def test_old_parts_are_forgotten(store: BlobStore) -> None:
    import time

    part = store.partial(digest(b"x"))
    part.write(b"12345")
    part.close()
    assert store.forget_partial(time.time() - 60) == 0
    assert store.forget_partial(time.time() + 60) == 5
