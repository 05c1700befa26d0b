"""`container run` and `container create`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compose.cli.command import Command, Invocation, current_folder
from compose.cli.commands.container.run_flags import CREATE_FLAGS, REFUSED
from compose.cli.flags import Flag, Options
from compose.errors import ComposeError, UsageError

if TYPE_CHECKING:
    from compose.operations.container_run import ContainerRequest

PULL = ("always", "missing", "never")


def request_of(options: Options, invocation: Invocation) -> ContainerRequest:
    """What is to be made. Raises UsageError."""
    from pathlib import Path

    from compose.cli.container_request import create_body
    from compose.cli.files import read_text
    from compose.operations.container_run import ContainerRequest

    for name, why in REFUSED.items():
        if name.replace("-", "_") in options.given:
            raise UsageError(f"--{name} is not supported: {why}")
    if not options.disable_content_trust:
        raise UsageError(
            "--disable-content-trust=false is not supported: signatures are not checked"
        )
    if options.pull not in PULL:
        raise UsageError(f'invalid pull option: "{options.pull}": use {", ".join(PULL)}')
    folder = current_folder(invocation.environment)
    return ContainerRequest(
        body=create_body(options, invocation.environment, read_text, folder),
        name=options.name,
        platform=options.platform or invocation.environment.get("DOCKER_DEFAULT_PLATFORM", ""),
        pull=options.pull,
        id_file=Path(options.cidfile) if options.cidfile else None,
        api_socket=options.use_api_socket,
        detach=options.get("detach", False),
        detach_keys=options.get("detach_keys", ""),
        pass_signals=options.get("sig_proxy", True),
    )


def run(options: Options, invocation: Invocation) -> int:
    """Create a container, start it, and stay with it unless it is detached."""
    from compose.operations.container_run import NOT_CREATED
    from compose.operations.container_run import run as operation
    from compose.operations.terminal import is_terminal

    try:
        request = request_of(options, invocation)
    except ComposeError as error:
        error.exit_code = NOT_CREATED
        raise
    if options.tty and options.interactive and not options.detach and not is_terminal(0):
        raise UsageError("the input device is not a TTY: leave --tty out")
    return operation(request, invocation.session(quiet=options.quiet))


def create(options: Options, invocation: Invocation) -> int:
    """Create a container and print its id."""
    from compose.operations.container_run import NOT_CREATED
    from compose.operations.container_run import create as operation

    try:
        request = request_of(options, invocation)
    except ComposeError as error:
        error.exit_code = NOT_CREATED
        raise
    session = invocation.session(quiet=options.quiet)
    made = operation(request, session)
    invocation.close()
    print(made)
    return 0


COMMANDS = {
    "run": Command(
        "container run [OPTIONS] IMAGE [COMMAND] [ARG...]",
        "Create and run a new container from an image",
        (
            *CREATE_FLAGS,
            Flag("detach", "d", help="Do not stay with it: print its id"),
            Flag("detach-keys", kind="text", help="The keys to leave it with"),
            Flag("sig-proxy", default=True, help="Pass on our signals"),
        ),
        run,
        least=1,
        interspersed=False,
    ),
    "create": Command(
        "container create [OPTIONS] IMAGE [COMMAND] [ARG...]",
        "Create a new container",
        CREATE_FLAGS,
        create,
        least=1,
        interspersed=False,
    ),
}
