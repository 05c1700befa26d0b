"""cache_from and cache_to as people write them."""

from __future__ import annotations

import pytest

from compose.errors import ProjectError
from compose.operations.portable_cache import FROM, TO, CachePlace, asked_of, read_places


def test_places() -> None:
    assert read_places(
        ["r/app:1", "type=registry,ref=r/c,mode=max,image-manifest=true", "type=local,dest=/d", "type=inline"],
        TO, "cache_to",
    ) == (
        CachePlace("registry", "r/app:1"), CachePlace("registry", "r/c", whole=True),
        CachePlace("local", "/d"), CachePlace("inline"),
    )  # fmt: skip
    assert read_places(["type=local,src=/d"], FROM, "cache_from") == (CachePlace("local", "/d"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type=gha", "the type gha is not supported"),
        ("type=registry", "ref is missing"),
        ("type=local,dest=/d,mode=some", "mode=some is neither min nor max"),
        ("type=registry,ref=x,compression=zstd", "compression=zstd is not supported"),
        ("type=inline,ref=x", "ref=x is not supported"),
    ],
)
def test_what_is_not_kept_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        read_places([text], TO, "cache_to")


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        ([], ""), (["type=inline"], "inline"), (["type=local,dest=/d"], "min"),
        (["type=local,dest=/d", "type=registry,ref=x,mode=max"], "max"), (["type=inline", "x"], "min"),
    ],
)  # fmt: skip
def test_what_the_engine_is_to_make(texts: list[str], asked: str) -> None:
    assert asked_of(read_places(texts, TO, "cache_to")) == asked
