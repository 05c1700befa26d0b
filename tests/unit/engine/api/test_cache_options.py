"""BuildKit clients' cache options: what is honoured, what is named."""

from __future__ import annotations

import json

import pytest

from engine.api.buildkit.cache_options import (
    CacheOptions,
    read_attribute,
    read_cache,
    read_gateway_imports,
)
from engine.api.buildkit.protobuf import Message, encode, mapping, repeated


def entry(kind: str, **attributes: str) -> bytes:
    return encode((1, kind)) + mapping(2, attributes)


def test_registries_are_imported_and_inline_exported() -> None:
    raw = repeated(4, [entry("inline")]) + repeated(5, [entry("registry", ref="r/app:cache")])
    assert read_cache(Message(raw)) == CacheOptions(("r/app:cache",), inline=True)
    assert read_cache(Message(b"")) == CacheOptions()


def test_others_are_named_without_their_secrets() -> None:
    exports = [entry("registry", ref="r/c", mode="max"), entry("s3", bucket="b", secret_key="no")]
    raw = repeated(4, exports) + repeated(5, [entry("local", src="/d"), entry("registry")])
    assert read_cache(Message(raw)).others == (
        "cache_to type=registry,ref=r/c",
        "cache_to type=s3,bucket=b",
        "cache_from type=local,src=/d",
        "cache_from type=registry",
    )


def test_the_gateway_and_the_attributes_say_it_too() -> None:
    raw = repeated(12, [entry("registry", ref="a")])
    told = json.dumps([{"Type": "registry", "Attrs": {"ref": "a"}}, {"Type": "gha", "Attrs": None}])
    both = read_gateway_imports(Message(raw)).joined(read_attribute({"cache-imports": told}))
    assert both == CacheOptions(("a",), others=("cache_from type=gha",))


@pytest.mark.parametrize("text", ["{", "[1]", "7", '[{"Attrs": {}}]', '[{"Type": "x", "Attrs": "y"}]'])  # fmt: skip
def test_what_is_no_list_of_imports_is_named(text: str) -> None:
    assert read_attribute({"cache-imports": text}).others == (f"cache-imports {text}",)
