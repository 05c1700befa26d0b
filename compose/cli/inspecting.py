"""What the `inspect` commands print: documents as JSON, or each by a template."""

from __future__ import annotations

import sys

from compose.errors import ComposeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def show_documents(found: tuple[Sequence[Any], Sequence[str]], style: str) -> int:
    """Print the documents that were found. Raises ComposeError for those that were not."""
    from compose.cli.template import Template, unescape
    from compose.cli.template_functions import go_json, pretty_json

    documents, failed = found
    if style == "json":
        sys.stdout.write(go_json(list(documents)) + "\n")
    elif style:
        template = Template(unescape(style), strict=False)
        for document in documents:
            sys.stdout.write(template.render(document) + "\n")
    else:
        sys.stdout.write(pretty_json(list(documents)) + "\n")
    if failed:
        raise ComposeError("; ".join(failed))
    return 0
