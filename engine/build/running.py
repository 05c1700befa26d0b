"""RUN: the command, the environment and the network of one instruction. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.build.dockerfile import fault
from engine.build.metadata import argv_of, environment
from engine.errors import NotSupportedError

if TYPE_CHECKING:
    from engine.build.dockerfile import Instruction
    from engine.build.metadata import Config
    from engine.build.variables import Arguments

NETWORKS = ("default", "none", "host")
_END = "PYCOMPOSE_END_OF_SCRIPT"


def command(config: Config, instruction: Instruction) -> tuple[str, ...]:
    """The argv of a RUN, here-documents included."""
    documents = instruction.heredocs
    if not documents:
        return tuple(argv_of(config, instruction.words, exec_form=instruction.exec_form))
    first = documents[0]
    alone = len(documents) == 1 and instruction.rest.lstrip("0123456789").startswith("<<")
    if alone and len(instruction.rest.split()) == 1:
        if not first.text.startswith("#!"):
            return tuple(argv_of(config, (first.text,), exec_form=False))
        interpreter, _, _ = first.text[2:].partition("\n")
        script = f"exec {interpreter.strip()} /dev/fd/3 3<<'{_END}'\n{first.text}{_END}\n"
        return ("/bin/sh", "-c", script)
    parts = [instruction.rest, "\n"]
    for document in documents:
        parts += [document.content, document.name, "\n"]
    return tuple(argv_of(config, ("".join(parts),), exec_form=False))


def run_environment(
    config: Config, arguments: Arguments, *, proxies: bool = True
) -> tuple[str, ...]:
    """ENV, and the build arguments in scope that it does not hide; the cache key has no `proxies`."""
    env = environment(config)
    extra = {**(arguments.proxies() if proxies else {}), **arguments.values()}
    return (
        *(config.get("Env") or ()),
        *(f"{name}={value}" for name, value in sorted(extra.items()) if name not in env),
    )


def told(config: Config, argv: tuple[str, ...], arguments: Arguments) -> str:
    """The history's created_by: the arguments in scope, then the command."""
    env = environment(config)
    seen = sorted(f"{k}={v}" for k, v in arguments.values().items() if k not in env)
    prefix = f"|{len(seen)} {' '.join(seen)} " if seen else ""
    return f"RUN {prefix}{' '.join(argv)}"


def shown(argv: tuple[str, ...]) -> str:
    """The command as an error names it."""
    return " ".join(argv)


def network(instruction: Instruction, otherwise: str) -> str:
    """--network of a RUN, else the request's. Raises InvalidRequestError, NotSupportedError."""
    security = instruction.flag("security")
    if security == "insecure":
        raise NotSupportedError(
            f"Dockerfile:{instruction.line}: RUN --security=insecure needs the entitlement "
            "security.insecure, which this engine grants to nobody: remove it"
        )
    if security not in (None, "sandbox"):
        raise fault(instruction.line, f"RUN --security={security} is unknown: take sandbox")
    wanted = instruction.flag("network")
    if wanted is None or wanted == "default":
        return otherwise
    if wanted not in NETWORKS:
        raise fault(
            instruction.line, f"RUN --network={wanted} is unknown: take default, none or host"
        )
    return wanted
