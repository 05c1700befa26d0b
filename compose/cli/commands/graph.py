"""`graph` and `alpha viz`: pictures of the project."""

from __future__ import annotations

import sys

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options
from compose.errors import ComposeError, UsageError

FORMATS = ("tree", "dot", "mermaid", "svg")
ENDINGS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".md": "mermaid", ".txt": "tree"}  # fmt: skip


def graph(options: Options, invocation: Invocation) -> int:
    """Draw who waits for whom, or the running project's networks."""
    style = chosen_format(options)
    session = invocation.session(quiet=True)
    if options.networks:
        from compose.operations.graphing import network_map

        if options.arguments:
            raise UsageError("--networks draws the whole project: name no services")
        picture = network_map(session)
        if style == "svg":
            from compose.drawing.network_svg import network_svg

            return write(network_svg(picture), options.output)
        if style == "mermaid":
            from compose.drawing.mermaid import networks as mermaid_networks

            return write(mermaid_networks(picture), options.output)
        if style == "dot":
            from compose.drawing.dot import networks as dot_networks

            return write(dot_networks(picture), options.output)
        from compose.drawing.network_text import network_text

        return write(network_text(picture), options.output)
    from compose.operations.graphing import dependencies

    found = dependencies(session, tuple(options.arguments))
    if style == "svg":
        from compose.drawing.dependency_svg import dependency_svg

        return write(dependency_svg(found), options.output)
    if style == "mermaid":
        from compose.drawing.mermaid import dependencies as mermaid

        return write(mermaid(found), options.output)
    if style == "dot":
        from compose.drawing.dot import dependencies as dot

        return write(dot(found), options.output)
    from compose.drawing.text_tree import tree

    return write(tree(found), options.output)


def chosen_format(options: Options) -> str:
    """As told, else as the file's name ends, else a tree. Raises UsageError."""
    ending = options.output[options.output.rfind(".") :].lower() if options.output else ""
    style = options.format or ENDINGS.get(ending, "tree")
    if style not in FORMATS:
        raise UsageError(f'unsupported --format "{style}": use {", ".join(FORMATS)}')
    return str(style)


def write(text: str, output: str) -> int:
    """To the file, or to standard output for "". Raises ComposeError."""
    if not output:
        sys.stdout.write(text)
        return 0
    from pathlib import Path

    try:
        Path(output).write_text(text)
    except OSError as error:
        raise ComposeError(f"{output}: {error.strerror}") from error
    return 0


def viz(options: Options, invocation: Invocation) -> int:
    """docker compose's picture of the dependencies."""
    from compose.drawing.dot import viz as draw
    from compose.operations.graphing import viz_rows

    size = 1 if options.indentation_size is None else options.indentation_size
    if size < 0:
        raise UsageError("invalid --indentation-size: it cannot be negative")
    project = invocation.session(quiet=True).project().project
    print("viz command is EXPERIMENTAL", file=sys.stderr)
    rows, edges = viz_rows(
        project, networks=options.networks, ports=options.ports, images=options.image
    )
    print(draw(project.name, rows, edges, (" " if options.spaces else "\t") * size))
    return 0


COMMANDS = {
    "graph": Command(
        "graph [OPTIONS] [SERVICE...]",
        "Draw the services with who waits for whom, or the running networks",
        (
            Flag("format", kind="text", help="tree, dot, mermaid or svg (default: as the name of --output ends, else tree)"),
            Flag("networks", help="Draw the running project's networks, services, addresses, ports and volumes"),
            Flag("output", "o", kind="text", help="Write to a file, instead of STDOUT"),
        ),
        graph,
    ),
    "viz": Command(
        "alpha viz [OPTIONS]",
        "EXPERIMENTAL - Generate a graphviz graph from your compose file",
        (
            Flag("image", help="Include service's image name in output graph"),
            Flag("indentation-size", kind="number", default=1, help="Number of tabs or spaces to use for indentation"),
            Flag("networks", help="Include service's attached networks in output graph"),
            Flag("ports", help="Include service's exposed ports in output graph"),
            Flag("spaces", help="If given, space character ' ' will be used to indent, otherwise tab character '\\t' will be used"),
        ),
        viz,
        most=0,
    ),
}  # fmt: skip
