"""RUN --mount: binds, caches, tmpfs, secrets and ssh, on a real engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.engine.build.builds import Site

pytestmark = pytest.mark.root
BASE = "FROM busybox:bench\n"


def test_bind_is_read_only_and_leaves_nothing(site: Site) -> None:
    told = site.made(
        BASE + "RUN --mount=target=/src cat /src/d/a > /out && ! touch /src/d/a\n"
        "RUN --mount=type=bind,source=d,target=/only cat /only/a >> /out\n"
        "RUN --mount=type=bind,src=d/a,dst=/file cat /file >> /out\n",
        {"d/a": "1"},
    )
    assert site.read(told.image, "out") == "111"
    assert not {"src", "only", "file"} & set(site.files(told.image))


def test_a_writable_bind_forgets_what_was_written(site: Site) -> None:
    told = site.made(
        BASE + "RUN --mount=target=/src,rw echo new > /src/d/b && cat /src/d/b > /out\n"
        "RUN --mount=target=/src,rw ! test -e /src/d/b\nCOPY d /d\n",
        {"d/a": "1"},
    )
    assert site.read(told.image, "out") == "new\n"
    assert "d/b" not in site.files(told.image)


def test_bind_from_stage_and_its_content_is_in_the_key(site: Site) -> None:
    text = "FROM busybox:bench AS dep\nCOPY a /a\nFROM busybox:bench\nRUN --mount=from=dep,source=/a,target=/a cat /a > /copy\n"
    assert site.read(site.made(text, {"a": "1"}).image, "copy") == "1"
    assert site.made(text, {"a": "1"}).made == []
    assert site.read(site.made(text, {"a": "2"}).image, "copy") == "2"


def test_cache_stays_between_builds_and_out_of_the_image(site: Site) -> None:
    text = (
        BASE
        + "ARG N\nRUN --mount=type=cache,target=/c,id={0},{1} echo $N >> /c/f; cat /c/f; ls -ld /c\n"
    )
    first = site.made(text.format("kept", "uid=5,gid=6,mode=0700"), args={"N": "1"})
    assert "1\n" in first.output
    assert "drwx------" in first.output
    second = site.made(text.format("kept", "uid=5,gid=6,mode=0700"), args={"N": "2"})
    assert "1\n2\n" in second.output
    assert "c" not in site.files(second.image)
    private = site.made(text.format("kept", "sharing=private"), args={"N": "3"})
    assert "1\n" not in private.output
    site.prune(type=["exec.cachemount"])
    assert "1\n" not in site.made(text.format("kept", "sharing=locked"), args={"N": "4"}).output


def test_cache_can_begin_with_a_stages_files(site: Site) -> None:
    text = "FROM busybox:bench AS seed\nCOPY a /seed/a\nFROM busybox:bench\nRUN --mount=type=cache,target=/c,id=seeded,from=seed,source=/seed cat /c/a\n"
    assert "seeded" in site.made(text, {"a": "seeded"}).output


def test_locked_caches_take_turns(site: Site) -> None:
    wait = "test ! -e /c/busy && echo 1 > /c/busy && sleep 0.3 && busybox rm /c/busy"
    text = (
        f"FROM busybox:bench AS a\nRUN --mount=type=cache,id=turns,sharing=locked,target=/c {wait} # a\n"
        f"FROM busybox:bench AS b\nRUN --mount=type=cache,id=turns,sharing=locked,target=/c {wait} # b\n"
        "FROM scratch\nCOPY --from=a /bin/sh /a\nCOPY --from=b /bin/sh /b\n"
    )
    assert site.made(text).image


def test_tmpfs(site: Site) -> None:
    told = site.made(
        BASE + "RUN --mount=type=tmpfs,target=/t,size=1m echo x > /t/x && cat /proc/mounts\n"
    )
    assert "/t tmpfs rw" in told.output
    assert "t" not in site.files(told.image)


def test_secrets_are_seen_by_one_run_and_kept_nowhere(site: Site) -> None:
    text = (
        BASE + "RUN --mount=type=secret,id=key cat /run/secrets/key && ls -l /run/secrets/key\n"
        "RUN --mount=type=secret,id=key,target=/etc/key,mode=0444,uid=7 --mount=type=secret,id=key,env=TOKEN ls -ln /etc/key && echo token=$TOKEN\n"
        "RUN ! test -e /run/secrets/key && ! test -e /etc/key && test -z \"$TOKEN\"\n"
        "RUN --mount=type=secret,id=nothing test ! -e /run/secrets/nothing\n"
    )  # fmt: skip
    told = site.made(text, secrets={"key": b"s3cr3t-value"})
    assert told.output.count("s3cr3t-value") == 2
    assert "-r--------" in told.output
    assert "-r--r--r--    1 7 " in told.output.replace("\t", " ")
    assert "s3cr3t-value" not in str(site.history(told.image)) + str(site.config(told.image))
    assert not any(name.endswith("key") for name in site.files(told.image))
    assert site.made(text, secrets={"key": b"another"}).made == []  # a secret is in no cache key
    required = site.refused(BASE + "RUN --mount=type=secret,id=must,required=true true\n")
    assert "Dockerfile:2" in required
    assert "must" in required
    found = subprocess.run(
        ["grep", "-rl", "s3cr3t-value", str(site.engine.folder)], capture_output=True, check=False
    )
    assert found.stdout == b""


@pytest.fixture
def agent(tmp_path: Path):
    path = tmp_path / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout
    process.stdout.readline()
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "carried-key",
            "-f",
            str(tmp_path / "key"),
        ],
        check=True,
    )
    subprocess.run(
        ["ssh-add", "-q", str(tmp_path / "key")],
        env={**os.environ, "SSH_AUTH_SOCK": str(path)},
        check=True,
        capture_output=True,
    )
    yield path
    process.terminate()
    process.wait()
    process.stdout.close()


def test_ssh_agents_are_carried_into_the_step(site: Site, agent: Path) -> None:
    program = shutil.which("ssh-add")
    assert program
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = list(re.findall(r"(/\S+) \(", said))
    files = {path.lstrip("/"): (Path(path).read_bytes(), 0o755) for path in (program, *libraries)}
    text = (
        BASE + f"COPY . /\nRUN --mount=type=ssh echo at=$SSH_AUTH_SOCK && {program} -l\n"
        'RUN test -z "$SSH_AUTH_SOCK" && ! test -e /run/buildkit\n'
    )
    told = site.build(text, files, inputs={"ssh": {"default": str(agent)}})
    assert told.image, told.error + told.output
    assert "at=/run/buildkit/ssh_agent.0" in told.output
    assert "carried-key" in told.output
    assert "ssh agent other" in site.refused(BASE + "RUN --mount=type=ssh,id=other,required true\n")


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("type=nope,target=/x", "unknown type nope"),
        ("type=cache", "the target is missing"),
        ("type=bind,target=/x,source=missing", "missing is not in the build context"),
        ("type=cache,target=/x,sharing=some", "sharing=some"),
        ("type=tmpfs,target=/x,size=much", "size=much"),
        ("type=bind,target=/x,wat=1", "unknown key wat"),
        ("type=bind,target=/", "cannot be the root"),
    ],
)
def test_bad_mounts_say_where_and_what(site: Site, flag: str, said: str) -> None:
    error = site.refused(BASE + f"RUN --mount={flag} true\n")
    assert "Dockerfile:2" in error
    assert said in error
