"""`network create`, `ls`, `inspect`, `rm`, `prune`, `connect` and `disconnect`."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.commands.container.listing import FORMAT
from compose.cli.commands.up import confirmer
from compose.cli.flags import Flag, Options
from compose.errors import ComposeError, UsageError
from compose.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from compose.cli.template import Row

COLUMNS = {
    "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4",
    "IPv6": "IPV6", "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
}  # fmt: skip


def create(options: Options, invocation: Invocation) -> int:
    """Make a network and print its id."""
    from compose.cli.network_request import create_body
    from compose.engine_client import calls
    from compose.operations.objects import ask

    if options.ingress:
        raise UsageError("--ingress is for a swarm, and not supported")
    session = invocation.session(quiet=True)
    made = ask(session, calls.create_network(create_body(options)))
    for warning in [made.get("Warning")] if made.get("Warning") else []:
        session.progress.warn(warning)
    print(made["Id"])
    return 0


def ls(options: Options, invocation: Invocation) -> int:
    """List networks."""
    from compose.cli.formatted import formatted
    from compose.engine_client import object_calls
    from compose.operations.objects import ask, read_filters

    call = object_calls.list_networks(read_filters(options.filter))
    items = sorted(
        ask(invocation.session(quiet=True), call) or [], key=lambda one: str(one["Name"])
    )
    rows = [network_row(item, trunc=not options.no_trunc) for item in items]
    if options.quiet:
        sys.stdout.write("".join(f"{row['ID']}\n" for row in rows))
        return 0
    names = list(COLUMNS)[:4]
    sys.stdout.write(
        formatted(rows, options.format, COLUMNS, lambda row: [row[name] for name in names], 4)
    )
    return 0


def network_row(item: Mapping[str, Any], *, trunc: bool) -> Row:
    """A network with docker's fields."""
    from compose.cli.template import Row

    own = item.get("Labels") or {}
    yes = {True: "true", False: "false"}
    fields = {
        "CreatedAt": go_time(str(item.get("Created", ""))),
        "Driver": item.get("Driver", ""),
        "ID": item["Id"][:12] if trunc else item["Id"],
        "IPv4": yes[bool(item.get("EnableIPv4", True))],
        "IPv6": yes[bool(item.get("EnableIPv6"))],
        "Internal": yes[bool(item.get("Internal"))],
        "Labels": ",".join(f"{key}={own[key]}" for key in sorted(own)),
        "Name": item["Name"],
        "Scope": item.get("Scope", ""),
    }
    return Row(fields, Label=lambda key: own.get(key, ""))


def go_time(text: str) -> str:
    """RFC 3339 as Go prints a time: "2026-01-02 03:04:05.6 +0000 UTC"."""
    day, _, clock = text.partition("T")
    if clock.endswith("Z"):
        return f"{day} {clock[:-1]} +0000 UTC"
    at = max(clock.rfind("+"), clock.rfind("-"))
    zone = clock[at:].replace(":", "") if at > 0 else ""
    return f"{day} {clock[:at] if at > 0 else clock} {zone} {zone}".strip()


def inspect(options: Options, invocation: Invocation) -> int:
    """Show all about networks."""
    from compose.cli.inspecting import show_documents
    from compose.engine_client import object_calls
    from compose.operations.objects import inspected

    found = inspected(
        invocation.session(quiet=True), options.arguments,
        lambda ref: object_calls.inspect_network(ref, verbose=options.verbose),
    )  # fmt: skip
    return show_documents(found, options.format)


def rm(options: Options, invocation: Invocation) -> int:
    """Remove networks."""
    from compose.engine_client import object_calls
    from compose.errors import EngineRefusedError
    from compose.operations.objects import answers

    failed: list[str] = []
    session = invocation.session(quiet=True)
    for name, answer in answers(session, options.arguments, object_calls.remove_network):
        if not isinstance(answer, EngineRefusedError):
            print(name, flush=True)
        elif not (options.force and answer.status == 404):
            failed.append(str(answer))
    if failed:
        raise ComposeError("; ".join(failed))
    return 0


def prune(options: Options, invocation: Invocation) -> int:
    """Remove networks that no container uses."""
    from compose.operations.objects import pruned, read_filters

    question = (
        "WARNING! This will remove all custom networks not used by at least one container. "
        "Are you sure you want to continue?"
    )
    if not confirmer(yes=options.force)(question):
        raise UsageError("network prune has been cancelled: --force does not ask")
    found = pruned(invocation.session(quiet=True), "networks", read_filters(options.filter))
    removed = found.get("NetworksDeleted") or []
    if removed:
        print("Deleted Networks:\n" + "\n".join(removed) + "\n")
    return 0


def connect(options: Options, invocation: Invocation) -> int:
    """Connect a container, running or not."""
    from compose.cli.container_network import endpoint
    from compose.engine_client import calls
    from compose.operations.objects import ask

    network, container = options.arguments
    body = endpoint({
        "alias": list(options.alias), "driver-opt": list(options.driver_opt),
        "ip": [options.ip], "ip6": [options.ip6], "link": list(options.link),
        "link-local-ip": list(options.link_local_ip),
        "gw-priority": [str(options.gw_priority or 0)],
    })  # fmt: skip
    ask(invocation.session(quiet=True), calls.connect_network(network, container, body))
    return 0


def disconnect(options: Options, invocation: Invocation) -> int:
    """Disconnect a container."""
    from compose.engine_client import object_calls
    from compose.operations.objects import ask

    network, container = options.arguments
    call = object_calls.disconnect_network(network, container, force=options.force)
    ask(invocation.session(quiet=True), call)
    return 0


def several(name: str, words: str, kind: str = "list", metavar: str = "", short: str = "") -> Flag:
    """A flag that may be given again."""
    return Flag(name, short, kind, words, metavar=metavar or kind)


MANY = "NETWORK [NETWORK...]"

COMMANDS = {
    "create": Command(
        "network create [OPTIONS] NETWORK",
        "Create a network",
        (
            Flag("attachable", help="Containers may be connected to it by hand"),
            several("aux-address", "Addresses that other machines have", metavar="map"),
            Flag("config-from", kind="text", help="The configuration network whose configuration it takes"),
            Flag("config-only", help="Make a configuration for other networks alone"),
            Flag("driver", "d", kind="text", default="bridge", help="Its driver"),
            several("gateway", "The gateway of a subnet", "strings"),
            Flag("ingress", help="For a swarm: the routing mesh"),
            Flag("internal", help="No way out of it, nor in"),
            several("ip-range", "The part of a subnet that containers get addresses from", "strings"),
            Flag("ipam-driver", kind="text", default="default", help="Who gives addresses"),
            several("ipam-opt", "An option of the address driver", metavar="map"),
            Flag("ipv4", default=True, help="Whether it has IPv4 addresses"),
            Flag("ipv6", help="Whether it has IPv6 addresses"),
            several("label", "A label, K=V"),
            several("opt", "An option of the driver", metavar="map", short="o"),
            Flag("scope", kind="text", help="How far it reaches"),
            several("subnet", "A subnet, as in 10.1.0.0/24", "strings"),
        ),
        create,
        least=1,
        most=1,
    ),
    "ls": Command(
        "network ls [OPTIONS]",
        "List networks",
        (
            several("filter", "Only those for which this holds, as in driver=bridge", metavar="filter", short="f"),
            FORMAT,
            Flag("no-trunc", help="Shorten nothing"),
            Flag("quiet", "q", help="IDs alone"),
        ),
        ls,
        most=0,
    ),
    "inspect": Command(
        f"network inspect [OPTIONS] {MANY}",
        "Display detailed information on one or more networks",
        (
            changed(FORMAT, short="f", help="How to write it: 'json' or a Go TEMPLATE"),
            Flag("verbose", "v", help="More, to find out what is wrong"),
        ),
        inspect,
        least=1,
    ),
    "rm": Command(
        f"network rm {MANY}",
        "Remove one or more networks",
        (Flag("force", "f", help="One that is not there is no error"),),
        rm,
        least=1,
    ),
    "prune": Command(
        "network prune [OPTIONS]",
        "Remove all unused networks",
        (
            several("filter", "Only those for which this holds, as in until=24h", metavar="filter"),
            Flag("force", "f", help="Do not ask"),
        ),
        prune,
        most=0,
    ),
    "connect": Command(
        "network connect [OPTIONS] NETWORK CONTAINER",
        "Connect a container to a network",
        (
            several("alias", "Another name of it there", "strings"),
            several("driver-opt", "An option of the driver", "strings"),
            Flag("gw-priority", kind="number", help="The highest has the default route"),
            Flag("ip", kind="text", help="Its IPv4 address"),
            Flag("ip6", kind="text", help="Its IPv6 address"),
            several("link", "Another container that it knows by a name"),
            several("link-local-ip", "A link-local address", "strings"),
        ),
        connect,
        least=2,
        most=2,
    ),
    "disconnect": Command(
        "network disconnect [OPTIONS] NETWORK CONTAINER",
        "Disconnect a container from a network",
        (Flag("force", "f", help="Whatever state it is in"),),
        disconnect,
        least=2,
        most=2,
    ),
}  # fmt: skip
