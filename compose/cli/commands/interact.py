"""`attach`."""

from __future__ import annotations

from compose.cli.command import Command, Invocation
from compose.cli.flags import Flag, Options


def attach(options: Options, invocation: Invocation) -> int:
    """Join our streams to a container's."""
    from compose.operations.attach import AttachRequest
    from compose.operations.attach import attach as operation

    request = AttachRequest(
        options.arguments[0], options.index or 0, not options.no_stdin, options.sig_proxy,
        options.detach_keys,
    )  # fmt: skip
    return operation(request, invocation.session(quiet=True))


COMMANDS = {
    "attach": Command(
        "attach [OPTIONS] SERVICE",
        "Attach local standard input, output, and error streams to a service's running container",
        (
            Flag("detach-keys", kind="text", help="Override the key sequence for detaching from a container."),
            Flag("index", kind="number", help="index of the container if service has multiple replicas."),
            Flag("no-stdin", help="Do not attach STDIN"),
            Flag("sig-proxy", default=True, help="Proxy all received signals to the process"),
        ),
        attach,
        least=1,
        most=1,
    )
}  # fmt: skip
