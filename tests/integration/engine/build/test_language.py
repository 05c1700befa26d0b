"""Each instruction of the Dockerfile language, built for real on busybox."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.integration.engine.build.builds import tar_of

if TYPE_CHECKING:
    from tests.integration.engine.build.builds import Site

pytestmark = pytest.mark.root
BASE = "FROM busybox:bench\n"


def test_config_instructions_reach_the_image(site: Site) -> None:
    told = site.made(
        BASE
        + 'ENV A=1 B="two words" C=$A-x\nENV OLD form of it\nLABEL l.a=1 "l b"=2\nEXPOSE 80 53/udp 8000-8001\n'
        "VOLUME /data /other\nUSER 1000:1000\nSTOPSIGNAL SIGINT\nMAINTAINER me\n"
        'SHELL ["/bin/sh", "-ec"]\nCMD echo hi\nENTRYPOINT ["/bin/sleep", "1"]\n'
        "HEALTHCHECK --interval=1m30s --retries=3 CMD true\nONBUILD RUN echo triggered\nWORKDIR /w\nWORKDIR sub\n"
    )
    config = site.config(told.image)
    env = dict(item.split("=", 1) for item in config["Env"])
    assert env["A"] == "1"
    assert env["B"] == "two words"
    assert env["C"] == "-x"  # an instruction sees what was set before it, not in it
    assert env["OLD"] == "form of it"
    assert config["Labels"] == {"l.a": "1", "l b": "2"}
    assert set(config["ExposedPorts"]) == {"80/tcp", "53/udp", "8000/tcp", "8001/tcp"}
    assert set(config["Volumes"]) == {"/data", "/other"}
    assert config["User"] == "1000:1000"
    assert config["StopSignal"] == "SIGINT"
    assert config["Shell"] == ["/bin/sh", "-ec"]
    assert config["Entrypoint"] == ["/bin/sleep", "1"]
    assert config["Cmd"] == ["/bin/sh", "-ec", "echo hi"]
    assert config["Healthcheck"] == {
        "Test": ["CMD-SHELL", "true"],
        "Interval": 90 * 10**9,
        "Retries": 3,
    }
    assert config["OnBuild"] == ["RUN echo triggered"]
    assert config["WorkingDir"] == "/w/sub"
    assert (
        site.files(told.image)["w/sub"].uid == 1000
    )  # a WORKDIR is made for the USER, as in BuildKit
    document = site.call("GET", f"/images/{told.image}/json")
    assert document["Author"] == "me"


def test_onbuild_of_a_stage_runs_in_the_stage_that_stands_on_it(site: Site) -> None:
    dockerfile = (
        "ARG MODE=copy\nFROM scratch AS files\nCOPY a /a\nFROM busybox:bench AS with-copy\n"
        "ONBUILD COPY --from=files /a /copied\nFROM busybox:bench AS with-none\n"
        "ONBUILD RUN echo nothing > /none\nFROM with-$MODE AS middle\nFROM middle\nRUN ls /\n"
    )
    told = site.made(dockerfile, {"a": "1"})
    assert "copied" in told.output
    assert len([one for one in told.made if "middle" in one]) == 0  # the trigger is its FROM's
    told = site.made(dockerfile, {"a": "1"}, args={"MODE": "none"})
    assert "none" in told.output
    assert "copied" not in told.output
    assert not site.config(told.image).get("OnBuild")


def test_onbuild_runs_in_the_child(site: Site) -> None:
    site.made(BASE + "ONBUILD COPY a /from-parent\nONBUILD RUN echo trigger > /ran\n", t="parent:1")
    told = site.made("FROM parent:1\nRUN cat /from-parent\n", {"a": "content"})
    assert "content" in told.output
    assert site.read(told.image, "ran") == "trigger\n"
    assert not site.config(told.image).get("OnBuild")


def test_entrypoint_forgets_the_base_images_command(site: Site) -> None:
    site.made(BASE + 'CMD ["a"]\n', t="with-cmd:1")
    assert not site.config(site.made('FROM with-cmd:1\nENTRYPOINT ["b"]\n').image).get("Cmd")
    kept = site.made('FROM with-cmd:1\nCMD ["c"]\nENTRYPOINT ["b"]\n').image
    assert site.config(kept)["Cmd"] == ["c"]


def test_shell_and_exec_form(site: Site) -> None:
    told = site.made(
        BASE
        + 'ENV X=1\nRUN echo "$X" > /shell\nRUN ["/bin/sh", "-c", "echo $0 $X > /exec", "name"]\n'
    )
    assert site.read(told.image, "shell") == "1\n"
    assert site.read(told.image, "exec") == "name 1\n"


def test_heredocs(site: Site) -> None:
    told = site.made(
        BASE
        + "ARG WHO=world\n"
        "RUN <<EOF\necho one > /one\necho $WHO >> /one\nEOF\n"
        "RUN <<EOF cat > /two\nhello $WHO\nEOF\n"
        "RUN <<-EOF\n\techo tabbed > /three\n\tEOF\n"
        "RUN <<EOF\n#!/bin/sh -e\necho \"$0 script\" > /four\nEOF\n"
        "RUN cat <<A > /five && cat <<'B' >> /five\nfirst\nA\n$second\nB\n"
        "COPY <<EOF /six\n$WHO \"quoted\"\nEOF\n"
        "COPY <<'EOF' <<other.txt /dir/\n$WHO\nEOF\nother\nother.txt\n"
        "RUN echo '<<EOF' # not one\n"
    )  # fmt: skip
    assert site.read(told.image, "one") == "one\nworld\n"
    assert site.read(told.image, "two") == "hello world\n"
    assert site.read(told.image, "three") == "tabbed\n"
    assert site.read(told.image, "four").endswith("script\n")
    assert site.read(told.image, "five") == "first\n$second\n"
    assert site.read(told.image, "six") == 'world "quoted"\n'
    assert site.read(told.image, "dir/EOF") == "$WHO\n"
    assert site.read(told.image, "dir/other.txt") == "other\n"


def test_escape_directive_and_continuations(site: Site) -> None:
    told = site.made(
        "# escape=`\n# a comment\nFROM busybox:bench\nRUN echo a `\n  # inside\n\n  b > /out\nCOPY a c:\\x /d/\n",
        {"a": "1", "c:\\x": "2"},
    )
    assert site.read(told.image, "out") == "a b\n"
    assert set(site.files(told.image)) >= {"d/a", "d/c:\\x"}


def test_copy_places_files_as_docker_does(site: Site) -> None:
    files = {"a.txt": "a", "b.txt": ("b", 0o755), "d/x": "x", "d/sub/y": "y", "link": "-> a.txt"}
    told = site.made(
        BASE + "COPY a.txt /file\nCOPY a.txt /folder/\nCOPY d /content\nCOPY *.txt /glob/\n"
        'WORKDIR /rel\nCOPY ["a.txt", "here"]\nCOPY --chown=7:8 --chmod=600 a.txt /owned\nCOPY --chmod=u=rwx,go=r d /modes\nCOPY link /followed\nCOPY . /all/\n',
        files,
    )
    found = site.files(told.image)
    assert site.read(told.image, "file") == "a"
    assert site.read(told.image, "folder/a.txt") == "a"
    assert set(found) >= {"content/x", "content/sub/y", "glob/a.txt", "glob/b.txt", "rel/here"}
    assert found["glob/b.txt"].mode == 0o755
    assert (found["owned"].uid, found["owned"].gid, found["owned"].mode) == (7, 8, 0o600)
    assert found["modes/x"].mode == 0o744
    assert found["file"].uid == 0
    assert found["followed"].isreg()
    assert found["all/link"].issym()
    assert found["file"].mtime == 1_700_000_000


def test_chown_by_the_images_names(site: Site) -> None:
    told = site.made(
        BASE
        + "RUN mkdir -p /etc && echo 'me:x:50:60::/:/bin/sh' > /etc/passwd && echo 'us:x:70:' > /etc/group\n"
        "COPY --chown=me:us a /x\nCOPY --chown=me a /y\n",
        {"a": "1"},
    )
    found = site.files(told.image)
    assert (found["x"].uid, found["x"].gid) == (50, 70)
    assert (found["y"].uid, found["y"].gid) == (50, 60)
    assert "nobody-knows" in site.refused(BASE + "COPY --chown=nobody-knows a /x\n", {"a": "1"})


def test_copy_parents_exclude_and_link(site: Site) -> None:
    files = {"a/b/c.txt": "c", "a/b/d.md": "d", "x/y/z.txt": "z", "x/skip/n": "n"}
    told = site.made(
        BASE
        + "COPY --parents a/b/c.txt x/y/z.txt /p/\nCOPY --parents ./a/./b/c.txt /pivot/\nCOPY --parents **/*.txt /deep/\n"
        "COPY --exclude=*.md --exclude=skip . /e/\nCOPY --exclude=**/*.md --exclude=x/skip . /f/\nCOPY --parents a/b /folder/\n"
        "RUN mkdir /real && busybox ln -s real /linked\nCOPY --link a/b/c.txt /linked/c.txt\n",
        files,
    )
    found = set(site.files(told.image))
    assert {
        "p/a/b/c.txt",
        "p/x/y/z.txt",
        "pivot/b/c.txt",
        "deep/a/b/c.txt",
        "deep/x/y/z.txt",
    } <= found
    assert "f/a/b/d.md" not in found
    assert "f/x/skip/n" not in found
    assert {"f/a/b/c.txt", "e/a/b/d.md", "folder/a/b/c.txt"} <= found
    assert "pivot/a" not in found
    assert site.files(told.image)["linked"].isdir()  # --link does not look at what is below


def test_copy_from_stage_image_and_number(site: Site) -> None:
    site.made(BASE + "RUN echo from-image > /made\n", t="other:1")
    told = site.made(
        "FROM busybox:bench AS Build\nRUN busybox mkdir /out && echo built > /out/a && busybox chown 5:6 /out/a\n"
        "FROM scratch\nCOPY --from=build /out/a /a\nCOPY --from=0 /out /out\nCOPY --from=other:1 /made /made\n"
    )
    assert site.read(told.image, "a") == "built\n"
    assert site.read(told.image, "made") == "from-image\n"
    assert site.files(told.image)["a"].uid == 5
    assert "out/a" in site.files(told.image)


def test_add_unpacks_local_archives_only(site: Site) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as archive:
        entry = tarfile.TarInfo("deep/file")
        entry.size, entry.uid = 2, 9
        archive.addfile(entry, io.BytesIO(b"hi"))
    told = site.made(
        BASE + "ADD a.tar.gz /x/\nCOPY a.tar.gz /y/\nADD --unpack=false a.tar.gz /z/\n",
        {"a.tar.gz": inner.getvalue()},
    )
    found = site.files(told.image)
    assert site.read(told.image, "x/deep/file") == "hi"
    assert found["x/deep/file"].uid == 9
    assert "y/a.tar.gz" in found
    assert "z/a.tar.gz" in found


def test_arguments_and_their_scopes(site: Site) -> None:
    text = (
        "ARG TAG=nope\nARG SHARED=global\nFROM busybox:$TAG AS one\n"
        "RUN echo \"[$SHARED]\" > /unseen\nARG SHARED\nARG OWN=own\nRUN echo \"$SHARED $OWN\" > /seen\n"
        "FROM one\nRUN echo \"$OWN\" > /inherited\nARG TARGETPLATFORM\nARG TARGETARCH\nRUN echo $TARGETPLATFORM > /platform\n"
        "ENV OWN=env\nRUN echo $OWN > /hidden\n"
    )  # fmt: skip
    told = site.made(text, args={"TAG": "bench", "SHARED": "given", "UNUSED": "x"})
    assert site.read(told.image, "unseen") == "[]\n"
    assert site.read(told.image, "seen") == "given own\n"
    assert site.read(told.image, "inherited") == "own\n"
    assert site.read(told.image, "hidden") == "env\n"
    assert site.read(told.image, "platform").startswith("linux/")
    assert any("UNUSED" in warning for warning in told.warnings)


def test_proxies_are_seen_and_left_no_trace_of(site: Site) -> None:
    told = site.made(
        BASE + "RUN echo proxy=$HTTP_PROXY $https_proxy\n",
        args={"HTTP_PROXY": "http://secret-proxy", "https_proxy": "b"},
    )
    assert "proxy=http://secret-proxy b" in told.output
    assert "secret-proxy" not in " ".join(site.history(told.image))
    again = site.made(
        BASE + "RUN echo proxy=$HTTP_PROXY $https_proxy\n", args={"HTTP_PROXY": "http://other"}
    )
    assert again.made == []


def test_only_needed_stages_are_built(site: Site) -> None:
    text = "FROM busybox:bench AS base\nRUN echo base\nFROM base AS unneeded\nRUN exit 7\nFROM base AS wanted\nRUN echo wanted\n"
    told = site.made(text + "FROM wanted\n")
    assert "exit 7" not in str(told.messages)
    told = site.made(text + "FROM unneeded AS last\n", target="wanted")
    assert [title.split("]")[1] for title in told.cached + told.made] == [
        " RUN echo base",
        " RUN echo wanted",
    ]


def test_stages_run_side_by_side(site: Site) -> None:
    wait = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -e /m/{0} ] && exit 0; sleep 0.2; done; exit 1"
    text = (
        "FROM busybox:bench AS a\nRUN --mount=type=cache,id=meet,target=/m echo 1 > /m/a; "
        + wait.format("b")
        + "\n"
        "FROM busybox:bench AS b\nRUN --mount=type=cache,id=meet,target=/m echo 1 > /m/b; "
        + wait.format("a")
        + "\n"
        "FROM scratch\nCOPY --from=a /bin/sh /a\nCOPY --from=b /bin/sh /b\n"
    )
    assert site.made(text).image


def test_named_contexts(site: Site) -> None:
    site.made(BASE + "RUN echo named-image > /n\n", t="named:1")
    context = tar_of({
        "Dockerfile": "FROM base\nCOPY --from=lib /l.txt /l\nRUN --mount=from=lib,target=/mnt cat /mnt/l.txt\nFROM stage AS stage\n",
        "hidden/l.txt": "lib",
    })  # fmt: skip
    inputs = {"contexts": {"base": "docker-image://named:1", "lib": "folder:hidden"}}
    told = site.build("", context=context, inputs=inputs, target="0")
    assert told.image, told.error
    assert site.read(told.image, "l") == "lib"
    assert site.read(told.image, "n") == "named-image\n"
    replaced = site.made(
        "FROM busybox:bench AS dep\nRUN exit 9\nFROM dep\nRUN cat /n\n",
        inputs={"contexts": {"dep": "docker-image://named:1"}},
    )
    assert "named-image" in replaced.output


def test_inline_dockerfile_is_no_part_of_the_context(site: Site) -> None:
    context = tar_of({"a": "1"})
    told = site.build("", context=context, inputs={"dockerfile": "FROM scratch\nCOPY . /\n"})
    assert set(site.files(told.image)) & {"a", "Dockerfile"} == {"a"}


def test_platform_arguments_and_a_foreign_platform(site: Site) -> None:
    assert "arm64" in site.refused("FROM --platform=linux/arm64 busybox:bench\n")
    assert "not linux/s390x" in site.refused(BASE, platform="linux/s390x")
    assert site.made("FROM --platform=$BUILDPLATFORM busybox:bench\nRUN true\n").image


def test_copies_that_share_files_with_the_context_change_nothing_else(site: Site) -> None:
    files = {"d/a": ("a", 0o640), "d/b": "b", "d/link": "-> a"}
    told = site.made(
        BASE
        + "WORKDIR /app\nCOPY d .\nRUN echo more >> a && busybox ln -s /app /sym\nCOPY d /second/\nCOPY d /sym/deep/\n"
        "COPY --chown=5 d /owned/\nCOPY --chmod=700 d /moded/\nCOPY d/b /app2/\nRUN cat /second/a\n",
        files,
    )
    found = site.files(told.image)
    assert site.read(told.image, "app/a") == "amore\n"
    assert site.read(told.image, "second/a") == "a"
    assert site.read(told.image, "app/deep/a") == "a"
    assert found["app/deep/link"].issym()
    assert found["second/a"].mode == 0o640
    assert found["owned/a"].uid == 5
    assert found["moded/a"].mode == 0o700
    assert found["second/b"].mode == 0o644
    assert not found["second/a"].islnk()
    assert found["second"].mode == 0o755


def test_add_takes_a_folder_as_copy_does(site: Site) -> None:
    told = site.made("FROM busybox:bench\nADD dir /d\nADD dir f /e/\n", {"dir/a": "1", "f": "2"})
    assert {"d/a", "e/a", "e/f"} <= set(site.files(told.image))


def test_a_new_destination_is_no_copy_of_the_source_folder(site: Site) -> None:
    told = site.made(
        "FROM busybox:bench AS one\nRUN mkdir -p /o/p && chown 3:4 /o /o/p && chmod 2750 /o\n"
        "FROM busybox:bench\nCOPY --from=one /o /o\nCOPY --from=one --chown=5:6 /o /new/o\n"
    )
    files = site.files(told.image)
    found = {name: (files[name].mode & 0o7777, files[name].uid, files[name].gid) for name in
             ("o", "o/p", "new", "new/o")}  # fmt: skip
    assert found == {
        "o": (0o755, 0, 0), "o/p": (0o755, 3, 4), "new": (0o755, 5, 6), "new/o": (0o755, 5, 6),
    }  # fmt: skip


def test_an_arg_said_again_without_a_default_keeps_its_value(site: Site) -> None:
    told = site.made(
        "ARG V=v\nFROM busybox:bench AS x\nARG V\nARG W=w\nARG W\nFROM x\nARG W\nARG N\n"
        'RUN echo "[$V][$W][$N]" > /seen\n'
    )
    assert site.read(told.image, "seen") == "[v][w][]\n"
