"""The flags of `image build` that docker hands to BuildKit -> what our engine is given beside the context.

Source: https://docs.docker.com/reference/cli/docker/buildx/build/.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from compose.errors import ProjectError
from compose.operations.build_inputs import BuildInputs, context_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The fields of --secret.
SECRET_FIELDS = frozenset(("id", "src", "source", "env", "type"))


def gather_flags(
    secrets: Iterable[str],
    contexts: Iterable[str],
    agents: Mapping[str, str],
    environment: Mapping[str, str],
    **flags: object,
) -> BuildInputs:
    """Secrets read, contexts found, and `flags` that say something as they are. Raises ProjectError."""
    found: dict[str, str] = {}
    folders: list[tuple[str, Path]] = []
    for text in contexts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ProjectError(f"--build-context {text}: write name=folder, name=URL or an image")
        found[name] = context_of(value, f"--build-context {name}", folders)
    document = {
        "secrets": dict(read_secret(text, environment) for text in secrets), "ssh": dict(agents),
        "contexts": found, **flags,
    }  # fmt: skip
    return BuildInputs({key: value for key, value in document.items() if value}, tuple(folders))


def read_secret(text: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """--secret id=NAME[,src=FILE | ,env=VARIABLE]: its id, and its content in base64.

    Without either it is the environment variable of that name, else the file. Raises ProjectError.
    """
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    name, where = fields.get("id", ""), f"--secret {text}"
    if unknown := sorted(set(fields) - SECRET_FIELDS):
        raise ProjectError(f"{where}: unknown field {unknown[0]}: use id, src, env")
    if not name:
        raise ProjectError(f"{where}: the id is missing: write id=NAME,src=FILE")
    if fields.get("type", "file") not in ("file", "env"):
        raise ProjectError(f"{where}: unknown type {fields['type']}: use file or env")
    path, variable = fields.get("src") or fields.get("source", ""), fields.get("env", "")
    if path and (variable or fields.get("type") == "env"):
        variable, path = variable or path, ""
    if not path and not variable:
        variable, path = (name, "") if name in environment else ("", name)
    if variable:
        if variable not in environment:
            raise ProjectError(f'{where}: environment variable "{variable}" is not set')
        content = environment[variable].encode()
    else:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ProjectError(f"{where}: {path}: {error.strerror}") from error
    return name, base64.b64encode(content).decode()
