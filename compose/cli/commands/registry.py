"""`login`, `logout` and `search`."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.commands.container.listing import FORMAT
from compose.cli.flags import Flag, Options
from compose.errors import ComposeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

COLUMNS = {
    "Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}  # fmt: skip
DESCRIPTION_WIDTH = 45


def login(options: Options, invocation: Invocation) -> int:
    """Log in to a registry."""
    from compose.operations.registry_login import login as operation

    server = (*options.arguments, "")[0]
    if options.password and options.password_stdin:
        raise UsageError("--password and --password-stdin are mutually exclusive")
    if options.password_stdin and not options.username:
        raise UsageError("must provide --username with --password-stdin")
    if options.password:
        print(
            "WARNING! Using --password via the CLI is insecure. Use --password-stdin.",
            file=sys.stderr,
        )

    def read_secret(name: str) -> tuple[str, str]:
        if options.password_stdin:
            return name, sys.stdin.read().rstrip("\r\n")
        if options.password:
            return name or ask_name(name), options.password
        return ask_person(name)

    session = invocation.session(quiet=True)
    plain = operation(session, server, options.username, read_secret)
    if plain is not None:
        print(
            f"WARNING! Your credentials are stored unencrypted in '{plain}': name a credential "
            "helper in it (credsStore) to change that.",
            file=sys.stderr,
        )
    print("Login Succeeded")
    return 0


def ask_person(name: str) -> tuple[str, str]:
    """Name and password, from a terminal. Raises ComposeError."""
    import getpass

    if not sys.stdin.isatty():
        raise ComposeError(
            "Cannot perform an interactive login from a non TTY device: "
            "give --username and --password-stdin"
        )
    return ask_name(name), getpass.getpass("Password: ")


def ask_name(name: str) -> str:
    """The name, the known one for an empty line."""
    if not sys.stdin.isatty():
        raise ComposeError("a username is needed: give --username")
    print(f"Username{f' ({name})' if name else ''}: ", end="", file=sys.stderr, flush=True)
    given = sys.stdin.readline().strip() or name
    if not given:
        raise ComposeError("a username is needed")
    return given


def logout(options: Options, invocation: Invocation) -> int:
    """Forget a registry's credentials."""
    from compose.operations.registry_login import logout as operation

    server = (*options.arguments, "")[0]
    shown = server or "https://index.docker.io/v1/"
    if operation(invocation.environment, server):
        print(f"Removing login credentials for {shown}")
    else:
        print(f"Not logged in to {shown}")
    return 0


def search(options: Options, invocation: Invocation) -> int:
    """Look for images in a registry."""
    from compose.cli.formatted import formatted
    from compose.operations.objects import read_filters
    from compose.operations.registry_login import search as operation

    session = invocation.session(quiet=True)
    filters = read_filters(options.filter)
    found = operation(session, options.arguments[0], filters, options.limit or 0)
    rows = [search_row(item, trunc=not options.no_trunc) for item in found]

    def cells(row: Mapping[str, Any]) -> list[str]:
        return [row["Name"], row["Description"], row["StarCount"], row["IsOfficial"]]

    sys.stdout.write(formatted(rows, options.format, COLUMNS, cells, 4))
    return 0


def search_row(item: Mapping[str, Any], *, trunc: bool) -> dict[str, str]:
    """The fields that --format knows."""
    from compose.cli.units import shortened

    text = " ".join(str(item.get("description") or "").split())
    return {
        "Name": str(item.get("name") or ""),
        "Description": shortened(text, DESCRIPTION_WIDTH) if trunc else text,
        "StarCount": str(item.get("star_count") or 0),
        "IsOfficial": "[OK]" if item.get("is_official") else "",
        "IsAutomated": "[OK]" if item.get("is_automated") else "",
    }


COMMANDS = {
    "login": Command(
        "login [OPTIONS] [SERVER]",
        "Authenticate to a registry",
        (
            Flag("password", "p", kind="text", help="Password or token; --password-stdin hides it from others"),
            Flag("password-stdin", help="Read the password from standard input"),
            Flag("username", "u", kind="text", help="Username"),
        ),
        login,
        most=1,
    ),
    "logout": Command(
        "logout [SERVER]", "Log out from a registry", (), logout, most=1
    ),
    "search": Command(
        "search [OPTIONS] TERM",
        "Search a registry for images",
        (
            Flag("filter", "f", kind="list", metavar="filter", help="Only those for which this holds, as in stars=3"),
            FORMAT,
            Flag("limit", kind="number", help="At most so many"),
            Flag("no-trunc", help="Shorten nothing"),
        ),
        search,
        least=1,
        most=1,
    ),
}  # fmt: skip
