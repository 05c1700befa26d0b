"""docker run's flags as a request: what cannot be meant is told in a line. What can is in tests/contract."""

from __future__ import annotations

from typing import Any

import pytest

from compose.cli.commands.container.run_flags import CREATE_FLAGS
from compose.cli.container_request import create_body
from compose.cli.flags import parse
from compose.errors import UsageError


def body(text: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    options = parse(
        [*text.split(), "img"], CREATE_FLAGS, interspersed=False, command="pycompose container run"
    )
    return create_body(options, environment or {}, lambda path: f"FILE={path}", "/here")


def test_relative_paths_are_below_the_current_folder() -> None:
    host = body("-v ./a:/a -v ../b:/b --mount type=bind,src=c,dst=/c")["HostConfig"]
    assert host["Binds"] == ["/here/a:/a", "/b:/b"]
    assert host["Mounts"][0]["Source"] == "/here/c"


def test_the_environment_is_ours_where_no_value_is_given() -> None:
    assert body("-e A -e B=2 -e C", {"A": "1"})["Env"] == ["A=1", "B=2", "C"]
    assert body("--env-file f")["Env"] == ["FILE=f"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-a nowhere", 'invalid --attach "nowhere"'),
        ("--restart sometimes", 'invalid restart policy "sometimes"'),
        ("--restart always:3", "a count is for on-failure alone"),
        ("--restart always --rm", "cannot specify both --restart and --rm"),
        ("--health-cmd x --no-healthcheck", "--no-healthcheck conflicts"),
        ("--health-interval=-1s", "--health-interval cannot be negative"),
        ("--ulimit nofile", 'invalid ulimit argument "nofile"'),
        ("--ulimit nofile=5:1", "soft limit must be less"),
        ("--device fuse", 'invalid device "fuse"'),
        ("--device /dev/a:/dev/b:/dev/c:x", "give HOST[:CONTAINER[:rwm]]"),
        ("--device-read-bps /dev/sda", "bad format"),
        ("--device-read-bps /dev/sda:much", "bad format"),
        ("--blkio-weight-device /dev/sda:5", "give 10 to 1000"),
        ("--gpus some", 'invalid --gpus "some"'),
        ("--sysctl x", 'invalid --sysctl "x"'),
        ("--log-opt x", 'invalid --log-opt "x"'),
        ("--security-opt x", 'invalid --security-opt: "x"'),
        ("-v relative", "mount path must be absolute"),
        ("--mount type=sock,dst=/x", "invalid mount type 'sock'"),
        ("--mount type=bind,dst=/x", "source is required"),
        ("--mount src=x", "target is required"),
        ("--mount dst=/x,frob=1", "unexpected key 'frob'"),
        ("--mount dst=/x,frob", "must be a key=value pair"),
        ("--mount dst=/x,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'volume'"),
        ("--mount type=tmpfs,dst=/x,tmpfs-mode=9", "use octal"),
        ("--mount type=tmpfs,dst=/x,tmpfs-size=x", "give a size"),
        ("--mount dst=/x,ro=perhaps", "use true or false"),
        ("--mount type=bind,src=/a,dst=/x,bind-recursive=x", "use enabled"),
        ("--network name=n,frob=1", "invalid field 'frob=1'"),
        ("--network alias=n", "name is missing"),
        ("--network name=n,gw-priority=x", "gw-priority is a whole number"),
        ("--network name=n,ip=1.2.3.4 --ip 1.2.3.5", "given twice"),
        ("--add-host x", "give NAME:ADDRESS"),
        ("-p 80:x", "invalid port"),
        ("--expose 80:80", "invalid port format for --expose"),
        ("-e =x", "invalid environment variable"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        body(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
