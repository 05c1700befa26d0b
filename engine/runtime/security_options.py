"""Docker's security options ("no-new-privileges", "seccomp=...") as one value. Pure.

Source: `docker run --security-opt`, and how the Engine API takes it: "key=value", of old "key:value".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRUTH = {"": True, "true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """What was asked for; `seccomp` is "", "unconfined", "builtin" or a profile's JSON text."""

    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    labels: tuple[str, ...] = ()
    system_paths_unconfined: bool = False
    writable_cgroups: bool = False


def parse_security_options(options: Iterable[str]) -> SecurityOptions:
    """Raises InvalidRequestError for one that is unknown or makes no sense."""
    found = SecurityOptions()
    for option in options:
        separator = "=" if "=" in option else ":"
        key, _, value = option.partition(separator)
        if key == "no-new-privileges":
            found = replace(found, no_new_privileges=_flag(option, value))
        elif key == "writable-cgroups":
            found = replace(found, writable_cgroups=_flag(option, value))
        elif key == "seccomp" and value:
            found = replace(found, seccomp=value)
        elif key == "apparmor" and value:
            found = replace(found, apparmor=value)
        elif key == "label" and value:
            found = replace(found, labels=(*found.labels, value))
        elif key == "systempaths" and value == "unconfined":
            found = replace(found, system_paths_unconfined=True)
        else:
            raise InvalidRequestError(
                f'invalid --security-opt: "{option}"',
                hint="known: no-new-privileges, seccomp, apparmor, label, systempaths=unconfined, "
                "writable-cgroups",
            )
    return found


def _flag(option: str, value: str) -> bool:
    try:
        return _TRUTH[value.lower()]
    except KeyError:
        raise InvalidRequestError(
            f'invalid --security-opt: "{option}"', hint="its value is true or false"
        ) from None
