"""Manifests: typed when sound, refused by name when not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, NotFoundError, NotSupportedError
from engine.images.registry.manifest import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Index,
    Manifest,
    ManifestError,
    Platform,
    choose_manifest,
    digest_of,
    parse_manifest,
)


def entry(size: int = 3, **more: object) -> dict[str, object]:
    return {"mediaType": "x/y", "digest": "sha256:" + "a" * 64, "size": size, **more}


def raw(**document: object) -> bytes:
    return json.dumps({"schemaVersion": 2, **document}).encode()


def index(*platforms: str) -> Index:
    manifests = [
        entry(
            size=n,
            platform=dict(zip(("os", "architecture", "variant"), p.split("/"), strict=False)),
        )
        for n, p in enumerate(platforms)
    ]
    parsed = parse_manifest(raw(manifests=manifests), OCI_INDEX)
    assert isinstance(parsed, Index)
    return parsed


@pytest.mark.parametrize("kind", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_manifest_is_typed(kind: str) -> None:
    content = raw(mediaType=kind, config=entry(), layers=[entry(), entry(9)])
    parsed = parse_manifest(content, kind + "; charset=utf-8", digest_of(content))
    assert isinstance(parsed, Manifest)
    assert [layer.size for layer in parsed.layers] == [3, 9]
    assert parsed.digest == digest_of(content)


def test_bytes_with_another_digest_are_refused() -> None:
    with pytest.raises(ManifestError, match="digest differs"):
        parse_manifest(raw(config=entry(), layers=[]), OCI_MANIFEST, "sha256:" + "0" * 64)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        raw(),
        raw(config=entry(), layers="x"),
        raw(config=entry(), layers=[entry(-1)]),
        raw(config={"digest": "sha256:../../etc/passwd", "size": 1}, layers=[]),
        raw(config=None, layers=[]),
        raw(config=entry(), layers=[entry()] * 501),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(content, "")


def test_schema_1_is_refused_by_name() -> None:
    with pytest.raises(NotSupportedError, match="schema 1"):
        parse_manifest(json.dumps({"schemaVersion": 1}).encode(), "application/json")


def test_the_platform_is_chosen() -> None:
    many = index("linux/arm/v6", "linux/arm/v7", "linux/amd64", "windows/amd64")
    assert choose_manifest(many, Platform("linux", "amd64")).size == 2
    assert choose_manifest(many, Platform("linux", "arm", "v7")).size == 1
    assert choose_manifest(many, Platform.parse("linux/arm/v8")).size == 0
    with pytest.raises(NotFoundError, match="linux/amd64, linux/arm/v6"):
        choose_manifest(many, Platform("linux", "s390x"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "schemaVersion",
                        "mediaType",
                        "config",
                        "layers",
                        "manifests",
                        "digest",
                        "size",
                        "platform",
                    ]
                ),
                x,
            )
        ),
    )
)
def test_no_document_breaks_the_parser(document: object) -> None:
    try:
        parse_manifest(json.dumps(document).encode(), "")
    except EngineError:
        pass
