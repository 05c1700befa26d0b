"""What the `inspect` commands print: documents as JSON, or each by a template."""

from __future__ import annotations

import sys

from compose.errors import ComposeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from compose.cli.template import Template

#: First names of Docker's documents that are left out where there is nothing to say (Engine API 1.51).
OPTIONAL = frozenset(
    ("Author", "ClusterVolume", "Comment", "Container", "ContainerConfig", "CreatedAt", "Descriptor",
     "DockerVersion", "EnableIPv4", "GraphDriver", "ImageManifestDescriptor", "Labels", "Manifests",
     "Metadata", "Node", "Options", "OsVersion", "Parent", "Peers", "Services", "SizeRootFs", "SizeRw",
     "Status", "UsageData", "Variant", "VirtualSize")
)  # fmt: skip


def show_documents(found: tuple[Sequence[Any], Sequence[str]], style: str) -> int:
    """Print the documents that were found. Raises ComposeError for those that were not."""
    from compose.cli.template import Template, unescape
    from compose.cli.template_functions import go_json, pretty_json

    documents, failed = found
    if style == "json":
        sys.stdout.write(go_json(list(documents)) + "\n")
    elif style:
        template = Template(unescape(style), strict=False)
        _check_fields(template, documents)
        for document in documents:
            sys.stdout.write(template.render(document) + "\n")
    else:
        sys.stdout.write(pretty_json(list(documents)) + "\n")
    if failed:
        raise ComposeError("; ".join(failed))
    return 0


def _check_fields(template: Template, documents: Sequence[Any]) -> None:
    """A first name that no document has is a mistake; deeper ones may be left out of a document."""
    known = sorted({name for document in documents for name in document})
    wrong = [name for name in template.first_fields if name not in known and name not in OPTIONAL]
    if wrong and known:
        raise UsageError(
            f'template: there is no field "{wrong[0]}": those there are: {", ".join(known)}'
        )
