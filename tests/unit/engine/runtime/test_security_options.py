"""Docker's --security-opt: read or refused."""

import pytest

from engine.errors import InvalidRequestError
from engine.runtime.security_options import SecurityOptions, parse_security_options


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), SecurityOptions()),
        (("no-new-privileges",), SecurityOptions(no_new_privileges=True)),
        (("no-new-privileges:true",), SecurityOptions(no_new_privileges=True)),
        (("no-new-privileges=false",), SecurityOptions()),
        (("seccomp=unconfined",), SecurityOptions(seccomp="unconfined")),
        (('seccomp={"a":"b=c"}',), SecurityOptions(seccomp='{"a":"b=c"}')),
        (("apparmor:mine",), SecurityOptions(apparmor="mine")),
        (("label=user:u", "label=disable"), SecurityOptions(labels=("user:u", "disable"))),
        (("systempaths=unconfined",), SecurityOptions(system_paths_unconfined=True)),
        (("writable-cgroups=true",), SecurityOptions(writable_cgroups=True)),
    ],
)
def test_known_ones(options: tuple[str, ...], found: SecurityOptions) -> None:
    assert parse_security_options(options) == found


@pytest.mark.parametrize(
    "option", ["x=1", "apparmor=", "no-new-privileges=perhaps", "systempaths=none", "", "seccomp"]
)
def test_others_are_refused(option: str) -> None:
    with pytest.raises(InvalidRequestError, match="invalid --security-opt"):
        parse_security_options([option])
