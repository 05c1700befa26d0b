"""The entry point: argv -> command -> exit code; the one place where errors become a line.

Start-up is a feature: this module imports nothing but the table of flags; a command's own module
is imported when it is the one asked for, and what its operation needs after that.
"""

from __future__ import annotations

import os
import sys

from compose.cli.flags import Flag, nearest, parse
from compose.cli.groups import GROUPS
from compose.errors import ComposeError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from compose.cli.command import Command, Invocation

GLOBAL_FLAGS = (
    Flag("all-resources", help="Include all resources, even those not used by services"),
    Flag("ansi", kind="text", default="auto", help='Control when to print ANSI control characters ("never"|"always"|"auto")'),
    Flag("compatibility", help="Run compose in backward compatibility mode"),
    Flag("dry-run", help="Execute command in dry run mode"),
    Flag("env-file", kind="list", help="Specify an alternate environment file"),
    Flag("file", "f", kind="list", help="Compose configuration files"),
    Flag("help", "h", help="Print this help", hidden=True),
    Flag("host", "H", kind="text", help="The engine to use (unix:///path/to.sock); PYCOMPOSE_HOST without it"),
    Flag("parallel", kind="number", default=-1, help="Control max parallelism, -1 for unlimited"),
    Flag("profile", kind="list", help="Specify a profile to enable"),
    Flag("progress", kind="text", help="Set type of progress output (auto, tty, plain, json, quiet)"),
    Flag("project-directory", kind="text", help="Specify an alternate working directory (default: the path of the, first specified, Compose file)"),
    Flag("project-name", "p", kind="text", help="Project name"),
    Flag("verbose", help="Show more output", hidden=True),
    Flag("version", "v", help="Show the version", hidden=True),
    Flag("workdir", kind="text", hidden=True),
)  # fmt: skip

DRY_RUN = Flag("dry-run", help="Execute command in dry run mode")
HELP = Flag("help", "h", hidden=True)

#: command -> module below compose.cli.commands, and what it is for.
COMMANDS = {
    "attach": ("interact", "Attach local standard input, output, and error streams to a service's running container"),
    "build": ("images", "Build or rebuild services"),
    "commit": ("files", "Create a new image from a service container's changes"),
    "completion": ("completion", "Print a script that completes command lines in a shell"),
    "config": ("config", "Parse, resolve and render compose file in canonical format"),
    "cp": ("files", "Copy files/folders between a service container and the local filesystem"),
    "create": ("up", "Creates containers for a service"),
    "down": ("down", "Stop and remove containers, networks"),
    "events": ("observe", "Receive real time events from containers"),
    "exec": ("exec", "Execute a command in a running container"),
    "export": ("files", "Export a service container's filesystem as a tar archive"),
    "graph": ("graph", "Draw the services with who waits for whom, or the running networks"),
    "images": ("list", "List images used by the created containers"),
    "kill": ("lifecycle", "Force stop service containers"),
    "lock": ("lock", "Write the digests of all images of the project, for up --locked"),
    "login": ("registry", "Authenticate to a registry"),
    "logout": ("registry", "Log out from a registry"),
    "logs": ("logs", "View output from containers"),
    "ls": ("list", "List running compose projects"),
    "pause": ("lifecycle", "Pause services"),
    "plan": ("plan", "Show what up would do, and what has changed; touch nothing"),
    "port": ("list", "Print the public port for a port binding"),
    "ps": ("ps", "List containers"),
    "publish": ("publish", "Publish compose application"),
    "pull": ("images", "Pull service images"),
    "push": ("images", "Push service images"),
    "restart": ("lifecycle", "Restart service containers"),
    "rm": ("lifecycle", "Removes stopped service containers"),
    "run": ("run", "Run a one-off command on a service"),
    "scale": ("up", "Scale services"),
    "search": ("registry", "Search a registry for images"),
    "start": ("lifecycle", "Start services"),
    "stats": ("observe", "Display a live stream of container(s) resource usage statistics"),
    "stop": ("lifecycle", "Stop services"),
    "top": ("list", "Display the running processes"),
    "unpause": ("lifecycle", "Unpause services"),
    "up": ("up", "Create and start containers"),
    "version": ("version", "Show the version information"),
    "volumes": ("list", "List volumes"),
    "watch": ("watch", "Watch build context for service and rebuild/refresh containers when files are updated"),
    "why": ("why", "Explain the state of a service: how it ended, its probe, its last events and lines"),
    "wait": ("observe", "Block until containers of all (or specified) services stop."),
}  # fmt: skip
MANAGEMENT = {
    "engine": ("engine", "Serve, inspect and stop our own engine"),
}


def start() -> NoReturn:
    """Be the process's program: run its command line and leave at once.

    Taking the interpreter down would take 6 ms of the person's time and give nothing back; most
    commands end before a collection of garbage would have paid for itself, so the first comes late.
    """
    if "coverage" in sys.modules:
        run()
    import gc

    gc.set_threshold(50_000, 20, 20)
    code = run_to_the_end()
    sys.stderr.flush()
    os._exit(code)


def run() -> NoReturn:
    """Run the command line of this process, and end it by SystemExit."""
    sys.exit(run_to_the_end())


def run_to_the_end() -> int:
    """The exit code of this process's command line, its output written."""
    open_closed_streams()
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        code = 1  # whoever read our output has enough
    except OSError as error:
        code = complain_of_output(error)
    else:
        return code
    # The descriptor is replaced, or the interpreter's own flush at exit would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code


def open_closed_streams() -> None:
    """Have the standard streams that our caller closed: what is opened later must not take their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115


def main(argv: list[str]) -> int:
    """Run a command line; returns the exit code. Errors are one line on standard error."""
    invocations: list[Invocation] = []
    try:
        return dispatch(argv, invocations)
    except ComposeError as error:
        close(invocations)
        return complain(error, invocations)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        close(invocations)
        return complain_of_output(error) if error.filename is None else complain_of_bug(error)
    except Exception as error:  # noqa: BLE001  # the last border: a bug of ours is told in a line too
        close(invocations)
        return complain_of_bug(error)
    finally:
        close(invocations)


def dispatch(argv: list[str], invocations: list[Invocation]) -> int:
    """Find the command and run it; the invocation is left in the list for who must tidy up."""
    options = parse(argv, GLOBAL_FLAGS, interspersed=False, command="pycompose")
    name, *rest = options.arguments or [""]
    if options.version and not name:
        name = "version"
    if options.help or name in ("", "help"):
        return show_help(" ".join(rest) if name == "help" else name)
    if name == "engine":
        return run_engine(rest)
    if name == "__complete":
        from compose.cli.commands.completion import complete
        from compose.cli.completion import Tables

        verbs = {verb: text for verb, (_, text) in {**COMMANDS, **MANAGEMENT}.items()}
        return complete(rest, Tables(GLOBAL_FLAGS, verbs, find_command))
    from compose.cli.command import Invocation

    if name in GROUPS:
        words, rest = walk(name, rest)
        if words in GROUPS:
            return show_help(words)
        name = words
    command = find_command(name)
    flags = with_general_flags(command.flags, rehearses=rehearses(name))
    try:
        given = parse(rest, flags, interspersed=command.interspersed, command=f"pycompose {name}")
    except UsageError as error:
        group = GROUPS.get(name.rpartition(" ")[0])
        error.exit_code = group.usage_code if group else 1
        raise
    if given.help:
        return show_help(name)
    if options.dry_run and not rehearses(name):
        raise UsageError(f"--dry-run is for a project's commands: {name} has no rehearsal")
    options["dry_run"] = options.dry_run or given.get("dry_run", False)
    command.check_arguments(given.arguments)
    invocation = Invocation(options, of_project=rehearses(name))
    invocations.append(invocation)
    return command.run(given, invocation)


def rehearses(name: str) -> bool:
    """Whether a command knows --dry-run, as docker compose's do, and docker's do not."""
    group = GROUPS.get(name.rpartition(" ")[0])
    return group is None or group.usage_code == 1


def with_general_flags(flags: tuple[Flag, ...], *, rehearses: bool) -> tuple[Flag, ...]:
    """A command's flags and those that all have; -h is help's where the command has no use for it."""
    taken = {flag.short for flag in flags}
    return (
        *flags,
        *([DRY_RUN] if rehearses else []),
        Flag("help", "" if "h" in taken else "h", hidden=True),
    )


def walk(group: str, rest: list[str]) -> tuple[str, list[str]]:
    """Down from a group to the command that the words name, or to a group; and what is left of argv.

    Raises UsageError for a word that is no command of the group.
    """
    while group in GROUPS:
        given = parse(rest, (DRY_RUN, HELP), interspersed=False, command=f"pycompose {group}")
        if given.help or not given.arguments:
            return group, []
        word, *rest = given.arguments
        if given.dry_run:
            rest.insert(0, "--dry-run")
        verbs, aliases = GROUPS[group].commands, GROUPS[group].aliases
        word = aliases.get(word, word)
        if word not in verbs and f"{group} {word}" not in GROUPS:
            near = nearest(word, [*verbs])
            todo = f"did you mean {near}?" if near else f"see 'pycompose {group} --help'"
            raise UsageError(f'unknown command: "{group} {word}": {todo}')
        group = f"{group} {word}"
    return group, rest


def close(invocations: list[Invocation]) -> None:
    """Leave the screen tidy, whatever happened."""
    for invocation in invocations:
        invocation.close()


def complain(error: ComposeError, invocations: list[Invocation]) -> int:
    """The one line, or the line for each fault of a project, and the exit code."""
    lines = error.lines
    if any(one.options.progress == "json" for one in invocations):
        import json

        lines = [json.dumps({"error": True, "message": line}) for line in lines]
    sys.stdout.flush()
    for line in lines:
        print(line, file=sys.stderr)
    return error.exit_code


def complain_of_output(error: OSError) -> int:
    """A full disk, or a device that fails, where our output goes; another failure nobody foresaw."""
    import errno

    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return complain_of_bug(error)
    print(f"cannot write the output: {(error.strerror or '').lower()}", file=sys.stderr)
    return 1


def complain_of_bug(error: Exception) -> int:
    """A failure that nobody foresaw; where it was is shown only to who asks."""
    if os.environ.get("PYCOMPOSE_DEBUG"):
        raise error
    text = " ".join(f"{type(error).__name__}: {error}".split("\n"))
    print(f"bug in pycompose: {text} (PYCOMPOSE_DEBUG=1 shows where)", file=sys.stderr)
    return 1


def find_command(name: str) -> Command:
    """The command of that name ("ps", "container run"), its module imported. Raises UsageError."""
    group, _, verb = name.rpartition(" ")
    table = GROUPS[group].commands if group else {**COMMANDS, **MANAGEMENT}
    if verb not in table:
        near = nearest(name, [*table, *GROUPS])
        todo = f"did you mean {near}?" if near else "see 'pycompose --help' for those there are"
        raise UsageError(f'unknown command: "{name}": {todo}')
    name = f"compose.cli.commands.{table[verb][0]}"
    __import__(name)  # importlib is one more thing to import
    module: Any = sys.modules[name]
    command: Command = module.COMMANDS[verb]
    return command


def show_help(name: str) -> int:
    """Print the help of a command or group, or the general one for ""."""
    from compose.cli.help import command_help, general_help, group_help
    from compose.model.record import changed

    if name == "engine":
        return run_engine(["--help"])
    if name in GROUPS:
        group = GROUPS[name]
        verbs = {verb: text for verb, (_, text) in group.commands.items()}
        print(group_help(name, group.summary, verbs))
        return 0
    if name:
        command = find_command(name)
        if not command.usage.startswith(name):  # one command by two names
            words = command.usage.partition(name.rpartition(" ")[2])[2]
            command = changed(command, usage=name + words)
        more = [DRY_RUN] if rehearses(name) else []
        print(command_help(changed(command, flags=(*command.flags, *more))))
        return 0
    groups = {
        "Management Commands": {
            **{key: text for key, (_, text) in MANAGEMENT.items()},
            **{
                key: one.summary for key, one in GROUPS.items() if not one.hidden and " " not in key
            },
        },
        "Commands": {key: text for key, (_, text) in COMMANDS.items()},
    }
    groups = {title: dict(sorted(commands.items())) for title, commands in groups.items()}
    print(general_help(GLOBAL_FLAGS, groups))
    return 0


def run_engine(arguments: list[str]) -> int:
    """Become the engine's own command line: the client imports nothing of the engine."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "engine", *arguments])  # noqa: S606
    return 1
