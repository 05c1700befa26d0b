"""`--change` of import and commit: a few Dockerfile instructions applied to a config. Pure."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from engine.errors import InvalidRequestError
from engine.images.durations import duration
from engine.images.model import Healthcheck

if TYPE_CHECKING:
    from collections.abc import Iterable


def apply_changes(config: dict[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """The config after the changes ("CMD [\\"bash\\"]", "ENV a=b"). Raises InvalidRequestError."""
    done = dict(config)
    for change in changes:
        word, _, rest = change.strip().partition(" ")
        _apply(done, word.upper(), rest.strip(), change)
    return done


def _apply(config: dict[str, Any], word: str, rest: str, change: str) -> None:
    if word in ("CMD", "ENTRYPOINT"):
        config["Cmd" if word == "CMD" else "Entrypoint"] = _command(rest)
    elif word in ("ENV", "LABEL"):
        pairs = _pairs(rest, change)
        if word == "LABEL":
            config["Labels"] = {**(config.get("Labels") or {}), **pairs}
        else:
            kept = [e for e in config.get("Env") or [] if e.partition("=")[0] not in pairs]
            config["Env"] = kept + [f"{key}={value}" for key, value in pairs.items()]
    elif word == "EXPOSE":
        ports: dict[str, Any] = {
            (port if "/" in port else f"{port}/tcp"): {} for port in rest.split()
        }
        config["ExposedPorts"] = {**(config.get("ExposedPorts") or {}), **ports}
    elif word == "VOLUME":
        names = json.loads(rest) if rest.startswith("[") else rest.split()
        config["Volumes"] = {**(config.get("Volumes") or {}), **{name: {} for name in names}}
    elif word in ("USER", "WORKDIR", "STOPSIGNAL"):
        key = {"USER": "User", "WORKDIR": "WorkingDir", "STOPSIGNAL": "StopSignal"}[word]
        config[key] = rest
    elif word == "ONBUILD":
        if rest.partition(" ")[0].upper() in ("", "ONBUILD", "FROM", "MAINTAINER"):
            raise InvalidRequestError(f"invalid change: {change!r}: no trigger of ONBUILD")
        config["OnBuild"] = [*(config.get("OnBuild") or []), rest]
    elif word == "HEALTHCHECK":
        config["Healthcheck"] = _healthcheck(rest, change).to_json()
    else:
        raise InvalidRequestError(f"{word} is not a valid change command (in {change!r})")


def _command(text: str) -> list[str]:
    if text.startswith("["):
        try:
            words = json.loads(text)
            if isinstance(words, list) and all(isinstance(word, str) for word in words):
                return words
        except ValueError:
            pass  # the shell form, as Docker reads it
    return ["/bin/sh", "-c", text]


def _healthcheck(text: str, change: str) -> Healthcheck:
    flags: dict[str, str] = {}
    while text.startswith("--"):
        flag, _, text = text.partition(" ")
        name, _, flags[name] = flag.removeprefix("--").partition("=")
        text = text.lstrip()
    kind, _, command = text.partition(" ")
    retries = flags.pop("retries", "0")
    if kind.upper() == "NONE" and not command and not flags:
        return Healthcheck(("NONE",))
    if kind.upper() != "CMD" or not command.strip() or not retries.isdecimal():
        raise InvalidRequestError(
            f"invalid change: {change!r}: write HEALTHCHECK NONE or [FLAGS] CMD"
        )
    if unknown := set(flags) - {"interval", "timeout", "start-period", "start-interval"}:
        raise InvalidRequestError(f"invalid change: {change!r}: unknown flag --{min(unknown)}")
    try:
        times = {name.replace("-", "_"): duration(value) for name, value in flags.items()}
    except ValueError as error:
        raise InvalidRequestError(f"invalid change: {change!r}: {error}") from error
    words = _command(command.strip())
    shell = words[:2] == ["/bin/sh", "-c"] and not command.strip().startswith("[")
    test = ("CMD-SHELL", words[2]) if shell else ("CMD", *words)
    return Healthcheck(test, retries=int(retries), **times)


def _pairs(text: str, change: str) -> dict[str, str]:
    words = shlex.split(text)
    if words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    if not words or not all("=" in word for word in words):
        raise InvalidRequestError(f"invalid change: {change!r}: write key=value")
    return dict(word.partition("=")[::2] for word in words)
