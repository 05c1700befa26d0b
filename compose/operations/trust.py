"""Before a project from a registry or a Git repository is brought up, the person is asked whether it is what they
want: what else it includes from elsewhere, and which of their variables go into it.

Source: docker compose's `up` and `run` of a remote stack; `--yes` answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.errors import ComposeError
from compose.loader.load import load_model
from compose.loader.template import strings, variables
from compose.model.record import changed
from compose.operations.remote_files import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from compose.loader.template import Variable
    from compose.model.project import Project
    from compose.operations.session import Session

    Ask = Callable[[str, bool], bool]  # question, what Enter says -> yes or no

TITLES = ("VARIABLE", "VALUE", "SOURCE", "REQUIRED", "DEFAULT")


class NotTrustedError(ComposeError):
    """The person said no."""


def check_trust(name: str, project: Project, session: Session, ask: Ask | None) -> None:
    """Say where the project that `name` names is kept, and ask; without `ask` nobody is asked.

    Raises NotTrustedError.
    """
    others, found = looked_through(session) if ask else ([], {})
    if ask and others:
        lines = [f"  - {one}" for one in others]
        session.out.write(
            "\nWarning: This Compose project includes files from remote sources:\n"
            + "\n".join(lines)
            + "\n\nRemote includes could potentially be malicious. Make sure you trust the source.\n"
        )
        confirm(ask, "Do you want to continue? [y/N]: ", enter=False)
    if session.progress.style not in {"quiet", "json"}:
        session.out.write(f'Your compose stack "{name}" is stored in "{project.working_dir}"\n')
    if ask and found:
        rows = [TITLES, *rows_of(found, session.environment)]
        session.out.write(f"\nFound the following variables in configuration:\n{aligned(rows)}\n")
        confirm(ask, "Do you want to proceed with these variables? [Y/n]: ", enter=True)
    session.out.flush()


def confirm(ask: Ask, question: str, *, enter: bool) -> None:
    """Raises NotTrustedError unless the answer is yes."""
    if not ask(question, enter):
        raise NotTrustedError("operation cancelled by user")


def looked_through(session: Session) -> tuple[list[str], dict[str, Variable]]:
    """What the project takes from elsewhere beside what was named, and the variables in it."""
    fetched: list[str] = []

    def remember(name: str) -> str:
        fetched.append(name)
        return fetch(name, session.environment)

    tree, _, _ = load_model(changed(session.load, interpolate=False, fetch=remember))
    found = {one.name: one for text in strings(tree) for one in variables(text)}
    return [one for one in fetched if one not in session.load.files], found


def rows_of(found: Mapping[str, Variable], environment: Mapping[str, str]) -> list[tuple[str, ...]]:
    """A row for each variable: what it is, and who says so. Pure."""
    rows: list[tuple[str, ...]] = []
    for name in sorted(found):
        variable = found[name]
        if name in environment:
            value, source = environment[name], "environment"
        elif variable.default:
            value, source = variable.default, "compose file"
        else:
            value, source = "<unset>", "none"
        rows.append((name, value, source, "yes" if variable.required else "no", variable.default))
    return rows


def aligned(rows: list[tuple[str, ...]]) -> str:
    """The rows in columns, three blanks apart. Pure."""
    widths = [max(len(row[column]) for row in rows) + 3 for column in range(len(TITLES) - 1)]
    return "".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        + row[-1]
        + "\n"
        for row in rows
    )
