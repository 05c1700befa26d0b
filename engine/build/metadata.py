"""What an instruction does to an image's config, and how its history tells it. Pure.

Rules: a config is a JSON document in Docker's spelling and is never changed in place. Sources: the
OCI image-spec (config.md) and the Dockerfile reference.
"""

from __future__ import annotations

import json
import posixpath
import re
import signal
from typing import TYPE_CHECKING, Any

from engine.build.dockerfile import fault
from engine.build.variables import ExpansionError, expand, expand_words
from engine.images.durations import duration
from engine.images.model import Healthcheck

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.build.dockerfile import Instruction
    from engine.build.variables import Lookup

Config = dict[str, Any]
DEFAULT_SHELL = ("/bin/sh", "-c")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)


def environment(config: Config) -> dict[str, str]:
    """ENV as a mapping."""
    return dict(item.partition("=")[::2] for item in config.get("Env") or ())


def shell_of(config: Config) -> tuple[str, ...]:
    """What runs the shell form."""
    return tuple(config.get("Shell") or DEFAULT_SHELL)


def argv_of(config: Config, words: Sequence[str], *, exec_form: bool) -> list[str]:
    """The command of RUN, CMD or ENTRYPOINT in either form."""
    return list(words) if exec_form else [*shell_of(config), *words]


def working_dir(config: Config, path: str) -> str:
    """WORKDIR: absolute, or relative to the one before."""
    return posixpath.normpath(posixpath.join("/", config.get("WorkingDir") or "/", path)).replace(
        "//", "/"
    )


def change(
    config: Config, instruction: Instruction, lookup: Lookup, escape: str, *, cmd_set: bool
) -> tuple[Config, str]:
    """The config after an instruction, and the words for the history. Raises InvalidRequestError.

    `cmd_set` says that this stage has had a CMD, which ENTRYPOINT then leaves alone.
    """
    words = instruction.words
    try:
        if instruction.name in ("ENV", "LABEL", "VOLUME", "USER", "STOPSIGNAL"):
            words = tuple(expand(word, lookup, escape) for word in _pairs(instruction))
        elif instruction.name == "EXPOSE":
            words = expand_words(words, lookup, escape)
        if instruction.name in ("CMD", "ENTRYPOINT"):
            return _command(config, instruction, cmd_set=cmd_set)
        if instruction.name == "HEALTHCHECK":
            return _healthcheck(config, instruction)
        return _CHANGES[instruction.name](config, words)
    except (ExpansionError, ValueError) as error:
        raise fault(instruction.line, f"{instruction.name}: {error}") from error


def _pairs(instruction: Instruction) -> list[str]:
    """ENV and LABEL expand name and value each for itself, so a quote cannot span both."""
    if instruction.name not in ("ENV", "LABEL"):
        return list(instruction.words)
    return [part for word in instruction.words for part in word.split("=", 1)]


def _env(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    values = list(config.get("Env") or ())
    added = [f"{name}={value}" for name, value in zip(words[::2], words[1::2], strict=True)]
    for item in added:
        prefix = item.partition("=")[0] + "="
        places = [n for n, old in enumerate(values) if old.startswith(prefix)]
        if places:
            values[places[0]] = item
        else:
            values.append(item)
    return {**config, "Env": values}, "ENV " + " ".join(added)


def _label(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    added = dict(zip(words[::2], words[1::2], strict=True))
    told = " ".join(f"{name}={value}" for name, value in added.items())
    return {**config, "Labels": {**(config.get("Labels") or {}), **added}}, f"LABEL {told}"


def _expose(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    ports = dict(config.get("ExposedPorts") or {})
    for word in words:
        found = _PORT.fullmatch(word)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not found or not 0 < first <= last < 65536:
            raise ValueError(f"invalid containerPort: {word}: write 80, 80/udp or 8000-8010")
        ports |= {f"{port}/{(found[3] or 'tcp').lower()}": {} for port in range(first, last + 1)}
    return {**config, "ExposedPorts": ports}, "EXPOSE " + " ".join(sorted(words))


def _volume(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    if not all(word.strip() for word in words):
        raise ValueError("a path is empty: name the folder")
    volumes = {**(config.get("Volumes") or {}), **{word.strip(): {} for word in words}}
    return {**config, "Volumes": volumes}, f"VOLUME [{' '.join(words)}]"


def _user(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    return {**config, "User": words[0]}, f"USER {words[0]}"


def _stop_signal(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    text = words[0]
    bare = text.upper().removeprefix("SIG")
    known = {member.name.removeprefix("SIG") for member in signal.Signals}
    real_time = re.fullmatch(r"RTM(IN(\+\d+)?|AX(-\d+)?)", bare)
    if not (real_time or bare in known or (text.isdecimal() and 0 < int(text) < 65)):
        raise ValueError(f"{text} is no signal: write SIGTERM or a number")
    return {**config, "StopSignal": text}, f"STOPSIGNAL {text}"


def _shell(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    return {**config, "Shell": list(words)}, f"SHELL [{' '.join(words)}]"


def _on_build(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    triggers = [*(config.get("OnBuild") or ()), words[0]]
    return {**config, "OnBuild": triggers}, f"ONBUILD {words[0]}"


def _maintainer(config: Config, words: tuple[str, ...]) -> tuple[Config, str]:
    return config, f"MAINTAINER {words[0]}"


_CHANGES: dict[str, Callable[[Config, tuple[str, ...]], tuple[Config, str]]] = {
    "ENV": _env,
    "LABEL": _label,
    "EXPOSE": _expose,
    "VOLUME": _volume,
    "USER": _user,
    "STOPSIGNAL": _stop_signal,
    "SHELL": _shell,
    "ONBUILD": _on_build,
    "MAINTAINER": _maintainer,
}


def _command(config: Config, instruction: Instruction, *, cmd_set: bool) -> tuple[Config, str]:
    argv = argv_of(config, instruction.words, exec_form=instruction.exec_form)
    quoted = " ".join(json.dumps(word, ensure_ascii=False) for word in argv)
    told = f"{instruction.name} [{quoted}]"
    if instruction.name == "CMD":
        return {**config, "Cmd": argv}, told
    changed = {**config, "Entrypoint": argv or None}
    if not cmd_set:
        changed["Cmd"] = None
    return changed, told


def _healthcheck(config: Config, instruction: Instruction) -> tuple[Config, str]:
    kind, *rest = instruction.words
    values = dict(instruction.flags)
    retries = values.pop("retries", "0")
    if not retries.isdecimal():
        raise ValueError(f"--retries={retries} is no number")
    times = {name.replace("-", "_"): duration(text) for name, text in values.items()}
    short = [name for name, time in times.items() if 0 < time < 10**6]
    if short:
        raise ValueError(f"--{short[0].replace('_', '-')} cannot be shorter than 1ms")
    check = Healthcheck((kind, *rest), retries=int(retries), **times)
    flags = "".join(f"--{name}={value} " for name, value in instruction.flags)
    told = f"HEALTHCHECK {flags}{instruction.rest}"
    return {**config, "Healthcheck": check.to_json()}, told
