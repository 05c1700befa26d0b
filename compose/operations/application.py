"""`publish --app`: the images of a project copied beside its artifact, and an index that names them.

From registry to registry, streamed, nothing unpacked: what the target has is not sent again, and within
one registry a blob is mounted. Sources: the OCI Distribution Specification 1.1 (mounting blobs, pushing
manifests), the OCI Image Specification 1.1 (image index, `subject`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from compose.engine_client.payloads.references import registry_of
from compose.errors import ComposeError
from compose.operations.registry_push import MANIFEST, check, digest_of, door_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compose.operations.registry_push import Door

INDEX = "application/vnd.oci.image.index.v1+json"
LISTS = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
IMAGES = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
#: Bytes. No registry takes a larger manifest.
MOST = 4 << 20


def push_application(
    reference: str,
    kind: str,
    subject: Mapping[str, Any],
    images: Iterable[str],
    annotations: Mapping[str, str],
    environment: Mapping[str, str],
) -> str:
    """Copy the images into the reference's repository and push their index; its digest.

    `kind` and `subject` are the artifact's, already pushed. Raises ComposeError naming the registry.
    """
    with door_to(reference, environment, "pull,push") as target:
        named = [copy_image(image, target, registry_of(reference), environment) for image in images]
        index = index_of(named, kind, subject, annotations)
        target.push_manifest(digest_of(index), index, INDEX)
    return digest_of(index)


def index_of(
    images: list[dict[str, Any]],
    kind: str,
    subject: Mapping[str, Any],
    annotations: Mapping[str, str],
) -> bytes:
    """The index of a project's images, which refers to the project's artifact. Pure."""
    document = {
        "schemaVersion": 2, "mediaType": INDEX, "artifactType": kind, "manifests": images,
        "subject": subject, "annotations": dict(annotations),
    }  # fmt: skip
    return json.dumps(document, separators=(",", ":")).encode()


def copy_image(
    image: str, target: Door, registry: str, environment: Mapping[str, str]
) -> dict[str, Any]:
    """An image into a repository of a registry, with all its platforms; its descriptor."""
    with door_to(image, environment, "pull") as source:
        near = source.path if registry_of(image) == registry else ""
        return _copy_manifest(source, source.tag, target, near)


def _copy_manifest(source: Door, name: str, target: Door, near: str) -> dict[str, Any]:
    """A manifest with all it names; `near` is the source's path where both are in one registry."""
    place = f"/v2/{source.path}/manifests/{name}"
    answer = source.ask("GET", place, accept=", ".join((*LISTS, *IMAGES)))
    check(answer, (200,), f"{name} of {source.path}")
    content = answer.content
    digest = digest_of(content)
    if len(content) > MOST or (name.startswith("sha256:") and digest != name):
        raise ComposeError(f"{source.path}: the manifest {name} is not what its name says")
    try:
        document = json.loads(content)
        kind = str(document.get("mediaType") or answer.headers.get("content-type", ""))
        if kind in LISTS:
            for one in document["manifests"]:
                _copy_manifest(source, one["digest"], target, near)
        elif kind in IMAGES:
            for one in (document["config"], *document["layers"]):
                if not one.get("urls"):  # a layer that no registry may hand on
                    _copy_blob(source, str(one["digest"]), int(one["size"]), target, near)
        else:
            raise ComposeError(f"{source.path}: {name} is no image but {kind or 'of no kind'}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComposeError(f"{source.path}: the manifest {name} cannot be read") from error
    target.push_manifest(digest, content, kind)
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _copy_blob(source: Door, digest: str, size: int, target: Door, near: str) -> None:
    if target.has_blob(digest):
        return
    place = target.begin_upload(digest, near)
    if place:
        with source.blob(digest) as pieces:
            target.end_upload(place, digest, pieces, size)
