"""`pycompose build` and `up --build` from a project's files to images, every part of the build section."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bench.sides import busybox_tar
from tests.integration.engine.build.builds import Site, tar_of
from tests.own_engine import HOUSE, OwnEngine, running_engine

pytestmark = pytest.mark.root
COMMAND = [sys.executable, "-m", "compose"]


class Shell:
    """Somebody at a prompt in a project's folder."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.environment = {**site.engine.environment, "PROJECT_SECRET": "from-environment"}

    def write(self, **files: object) -> None:
        for name, content in files.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))

    def run(
        self, *arguments: str, stdin: bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, "--project-directory", str(self.folder), *arguments], cwd=HOUSE, input=stdin,
            env={**self.environment, **environment}, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def does(self, *arguments: str, stdin: bytes | None = None, **environment: str) -> str:
        done = self.run(*arguments, stdin=stdin, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def shell(site: Site, tmp_path: Path) -> Shell:
    folder = tmp_path / "proj"
    folder.mkdir()
    return Shell(site, folder)


def services(**given: dict) -> dict:
    return {"name": "proj", "services": given}


def test_the_whole_build_section(shell: Shell) -> None:
    shell.write(
        compose_yaml={
            **services(
                base={"build": {"context": ".", "dockerfile_inline": "FROM busybox:bench\nRUN echo in-base > /base\n"}},
                web={
                    "image": "own:1",
                    "build": {
                        "context": "./web", "dockerfile": "D", "target": "wanted", "args": {"A": "1", "B": None},
                        "labels": {"l": "$${x}"}, "tags": ["own:2"], "secrets": ["file", {"source": "env", "target": "renamed"}],
                        "additional_contexts": {"lib": "./lib", "base": "service:base"}, "network": "none",
                        "extra_hosts": ["somehost=10.9.8.7"], "shm_size": "16m", "ulimits": {"nofile": 99},
                        "entitlements": ["network.host"], "platforms": ["linux/amd64"],
                    },
                },
            ),
            "secrets": {"file": {"file": "./secret"}, "env": {"environment": "PROJECT_SECRET"}},
        },
        web__D="FROM base AS wanted\nARG A\nARG B=default\nCOPY --from=lib l /l\n"
        "RUN --mount=type=secret,id=file --mount=type=secret,id=renamed,target=/r cat /run/secrets/file /r\n"
        "RUN echo A=$A B=$B; grep somehost /etc/hosts; ulimit -n; grep shm /proc/mounts; ls /sys/class/net; cat /base\n"
        "FROM base\nRUN exit 1\n",
        lib__l="lib", secret="from-file",
    )  # fmt: skip
    shell.does("build", "web", B="given")
    said = shell.does("build", "--no-cache", "web", B="given")
    for text in (
        "from-file",
        "from-environment",
        "A=1 B=given",
        "10.9.8.7",
        " 99\n",
        "size=16384k",
        "in-base",
        "[web wanted 3/4] RUN",
    ):
        assert text in said, said
    assert "eth0" not in said
    config = shell.site.config("own:2")
    assert config["Labels"]["l"] == "${x}"
    assert config["Labels"]["com.docker.compose.service"] == "web"
    assert shell.site.read("own:1", "l") == "lib"
    assert "CACHED" in shell.does("build", "web", B="given")


def test_up_builds_and_builds_again_only_when_told(shell: Shell) -> None:
    shell.write(
        compose_yaml=services(web={"build": ".", "init": True}),
        Dockerfile='FROM busybox:bench\nCOPY v /v\nCMD ["sleep", "1000"]\n',
        v="1",
    )
    try:
        shell.does("up", "-d")
        shell.write(v="2")
        shell.does("up", "-d")
        assert shell.does("exec", "-T", "web", "cat", "/v") == "1"
        shell.does("up", "-d", "--build")
        assert shell.does("exec", "-T", "web", "cat", "/v") == "2"
    finally:
        shell.does("down", "-t", "0")


def test_no_cache_filter_of_the_file_and_the_command_line(shell: Shell) -> None:
    build = {"context": ".", "no_cache_filter": ["first"]}
    shell.write(
        compose_yaml=services(web={"build": build}),
        Dockerfile="FROM busybox:bench AS first\nRUN echo ncf-1 > /1\n"
        "FROM busybox:bench AS second\nRUN echo ncf-2 > /2\n"
        "FROM busybox:bench\nRUN echo ncf-3 > /3\nCOPY --from=first /1 /1\nCOPY --from=second /2 /2\n",
    )
    shell.does("build")

    def ran(*arguments: str) -> set[str]:
        """The RUN steps that were not taken from the cache."""
        lines = shell.does("--progress", "plain", "build", *arguments).splitlines()
        steps = {
            line.partition(" ")[0]: line.partition("RUN ")[2] for line in lines if "] RUN " in line
        }
        cached = {line.partition(" ")[0] for line in lines if line.endswith(" CACHED")}
        return {step.partition(" >")[0] for number, step in steps.items() if number not in cached}

    assert ran() == {"echo ncf-1"}
    assert ran("--no-cache-filter", "second") == {"echo ncf-1", "echo ncf-2"}
    printed = json.loads(shell.does("build", "--print", "--no-cache-filter", "second"))
    assert printed["target"]["web"]["no-cache-filter"] == ["first", "second"]


def test_flags(shell: Shell) -> None:
    shell.write(compose_yaml=services(web={"build": "."}), Dockerfile="FROM busybox:bench AS b\nARG X\nRUN echo x=$X\nCMD [\"a\"]\n")  # fmt: skip
    assert "x=fromflag" in shell.does("build", "--build-arg", "X=fromflag")
    assert shell.does("build", "-q").strip().startswith("sha256:")
    assert "no warnings found" in shell.does("build", "--check")
    assert "#2 x=\n" in shell.does("build", "--no-cache-filter", "b", "--no-cache")
    printed = json.loads(shell.does("build", "--print"))
    assert printed["target"]["web"]["tags"] == ["proj-web"]
    refused = shell.run("build", "--builder", "other")
    assert refused.returncode == 1
    assert 'no builder "other" found' in refused.stderr
    assert "Built" in shell.does("build", "--memory", "512m", "--progress", "plain")
    lines = shell.run("--progress", "json", "build").stderr.splitlines()
    assert any(json.loads(line)["id"] == "[b 2/2] RUN echo x=$X" for line in lines)


def test_checks(shell: Shell) -> None:
    shell.write(
        compose_yaml=services(web={"build": "."}), Dockerfile="FROM busybox:bench as b\nCMD a\n"
    )
    done = shell.run("build", "--check")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "JSONArgsRecommended" in said
    assert "   2 | >>> CMD a" in said


def test_a_failure_shows_where_and_the_last_output(shell: Shell) -> None:
    shell.write(compose_yaml=services(web={"build": {"context": ".", "dockerfile": "Other"}}), Other="FROM busybox:bench\nRUN echo the-last-words; \\\n  exit 7\n")  # fmt: skip
    done = shell.run("build")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "Other:2" in said
    assert "   3 | >>>   exit 7" in said
    assert said.count("the-last-words\n") >= 2
    assert "Traceback" not in said
    quiet = shell.run("build", "-q")
    assert "the-last-words" in quiet.stderr
    assert quiet.stdout == ""


def test_a_context_on_standard_input(shell: Shell) -> None:
    shell.write(compose_yaml=services(web={"build": {"context": "-", "args": {"X": "1"}}}))
    shell.does(
        "build", stdin=tar_of({"Dockerfile": "FROM busybox:bench\nCOPY a /a\n", "a": "piped"})
    )
    assert shell.site.read("proj-web", "a") == "piped"


@pytest.fixture
def repository(tmp_path: Path):
    """A git server on loopback with one repository."""
    work = tmp_path / "repo"
    work.mkdir()

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e@x", "-C", str(work), *arguments],
            check=True, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)},
        ).stdout.strip()  # fmt: skip

    git("init", "-q", "-b", "main")
    (work / "sub").mkdir()
    (work / "Dockerfile").write_text("FROM busybox:bench\nCOPY sub/f /f\n")
    (work / "sub/f").write_text("one")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("tag", "v1")
    (work / "sub/f").write_text("two")
    git("commit", "-qam", "two")
    process = subprocess.Popen(
        ["git", "daemon", "--listen=127.0.0.1", "--port=19418", "--export-all", "--reuseaddr", "--verbose", f"--base-path={tmp_path}"],
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stderr
    process.stderr.readline()  # ready
    yield "git://127.0.0.1:19418/repo", git("rev-parse", "HEAD")
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    process.stderr.close()


def test_git_contexts_and_sources(shell: Shell, repository: tuple[str, str]) -> None:
    url, commit = repository
    shell.write(compose_yaml=services(web={"build": f"{url}#v1"}))
    shell.does("build")
    assert shell.site.read("proj-web", "f") == "one"
    text = f"FROM scratch\nADD {url} /all/\nADD {url}#v1:sub /sub/\nADD --keep-git-dir --checksum={commit} {url} /git/\n"
    told = shell.site.made(text)
    assert shell.site.read(told.image, "all/sub/f") == "two"
    assert shell.site.read(told.image, "sub/f") == "one"
    assert "git/.git/HEAD" in shell.site.files(told.image)
    assert "all/.git" not in shell.site.files(told.image)
    assert "digest mismatch" in shell.site.refused(
        f"FROM scratch\nADD --checksum={'0' * 40} {url} /\n"
    )
    assert "git fetch" in shell.site.refused("FROM scratch\nADD git://127.0.0.1:1/no /\n")


def test_the_cache_is_listed_and_emptied(shell: Shell) -> None:
    shell.write(
        compose_yaml=services(web={"build": "."}),
        Dockerfile="FROM busybox:bench\nRUN echo for-du\n",
    )
    shell.does("build")
    assert "for-du" in shell.does("builder", "du", "--verbose")
    assert "Total reclaimed space" in shell.does(
        "builder", "prune", "-af", "--filter", "description=for-du"
    )
    assert "for-du" not in shell.does("builder", "du", "--verbose")


@pytest.mark.parametrize("sign", ["RUN echo begun", " begun"])
def test_ctrl_c_leaves_nothing_running(shell: Shell, sign: str) -> None:
    """While the step's container is made, and while its program runs."""
    shell.write(
        compose_yaml=services(web={"build": "."}),
        Dockerfile="FROM busybox:bench\nRUN echo begun; sleep 1000\n",
    )
    process = subprocess.Popen(
        [*COMMAND, "--project-directory", str(shell.folder), "build"], cwd=HOUSE, env=shell.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout
    while sign not in (line := process.stdout.readline()) or (sign == " begun" and "RUN" in line):
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    process.stdout.close()
    deadline = time.monotonic() + 10
    while left := (
        shell.site.call("GET", "/containers/json?all=1")
        or list((shell.site.engine.folder / "root/tmp").glob("build-*"))
    ):
        assert time.monotonic() < deadline, [
            (c["Command"], c["State"], c["Status"]) for c in left if isinstance(c, dict)
        ]
        time.sleep(0.05)  # what is deleted after the answer has no event
    assert "begun" not in str(shell.site.call("GET", "/system/df")["BuildCache"])


CACHED = "FROM busybox:bench AS one\nRUN echo portable-1 > /1\nFROM busybox:bench\nWORKDIR /w\nRUN echo portable-2 > /2\nCOPY --from=one /1 /1\nENV A=1\n"


def test_a_cache_goes_to_a_folder_and_comes_back(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "cache"
    build = {
        "context": ".",
        "cache_to": [f"type=local,dest={place},mode=max"],
        "cache_from": [f"type=local,src={place}"],
    }
    shell.write(compose_yaml=services(web={"build": build}), Dockerfile=CACHED)
    assert "no cache is there yet" in shell.does("build")
    assert (place / "index.json").is_file()
    images = shell.site.call("GET", "/images/json?all=1")
    assert not [
        image
        for image in images
        if not image["RepoTags"] and image["Containers"] == 0 and image["Size"] == 0
    ]
    shell.site.call("DELETE", "/images/proj-web?force=1")
    shell.site.call("POST", "/images/prune")
    shell.site.prune()
    said = shell.does("build")
    assert said.count("CACHED") == 4, said
    assert shell.site.read("proj-web", "2") == "portable-2\n"
    assert shell.site.read("proj-web", "1") == "portable-1\n"


def test_a_cache_goes_to_a_registry_and_inside_an_image(shell: Shell, registry: str) -> None:
    build = {
        "context": ".",
        "cache_to": [f"type=registry,ref={registry}/cache:1,mode=max,oci-mediatypes=true"],
        "cache_from": [f"type=registry,ref={registry}/cache:1"],
    }
    shell.write(compose_yaml=services(web={"build": build}), Dockerfile=CACHED)
    shell.does("build")

    def forget(*names: str) -> None:
        for name in names:
            shell.site.call("DELETE", f"/images/{name}?force=1")
        shell.site.call("POST", "/images/prune")
        shell.site.prune()

    forget("proj-web")
    assert shell.does("build").count("CACHED") == 4
    inline = {"context": ".", "cache_to": ["type=inline"], "cache_from": [f"{registry}/web:1"]}
    shell.write(compose_yaml=services(web={"image": f"{registry}/web:1", "build": inline}))
    shell.does("build", "--push")
    forget("proj-web", f"{registry}/web:1")
    assert shell.does("build").count("CACHED") >= 3  # of the stage that the image is made of


def test_the_least_of_a_cache_is_what_the_image_is_made_of(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "least"
    to = [f"type=local,dest={place}", "type=registry,ref=127.0.0.1:1/no:1,ignore-error=true"]
    build = {"context": ".", "cache_to": to, "cache_from": [f"type=local,src={place}"]}
    more = CACHED.replace("> /1", "> /1 && echo more > /more")
    shell.write(compose_yaml=services(web={"build": build}), Dockerfile=more)
    assert "cache_to 127.0.0.1:1/no:1:" in shell.does("build")
    shell.site.call("DELETE", "/images/proj-web?force=1")
    shell.site.call("POST", "/images/prune")
    shell.site.prune()
    assert shell.does("build").count("CACHED") == 3  # what stage one did is done again
    shell.site.call("DELETE", "/images/proj-web?force=1")


def test_caches_elsewhere_are_refused_by_name(shell: Shell) -> None:
    shell.write(
        compose_yaml=services(web={"build": {"context": ".", "cache_to": ["type=gha"]}}),
        Dockerfile="FROM busybox:bench\n",
    )
    done = shell.run("build")
    assert done.returncode == 1
    assert "the type gha is not supported" in done.stderr


@pytest.fixture
def registry(tmp_path: Path):
    """Debian's docker-registry on loopback."""
    port = 15106
    settings = tmp_path / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # another program's start has no event to wait for
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_an_engine_that_is_killed_in_a_build_leaves_no_step_behind(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_engine(tmp_path_factory.mktemp("killed"), "10.106.128.0/17") as engine:
        own = Site(engine)
        own.call("POST", "/images/create?fromSrc=-&repo=busybox&tag=bench", busybox_tar())
        process = subprocess.Popen(
            [sys.executable, "-c", "import sys; from tests.integration.engine.build.test_client import hang; hang(*sys.argv[1:])", str(engine.folder)],
            cwd=HOUSE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not (own.call("GET", "/containers/json")):
            assert time.monotonic() < deadline
            time.sleep(0.05)  # the other process tells nothing of its own
        os.kill(engine.pid, signal.SIGKILL)
        process.wait(20)
        started = engine.command("serve", "--detach")
        assert started.returncode == 0, started.stderr
        assert own.call("GET", "/containers/json?all=1") == []
        images = own.call("GET", "/images/json?all=1")
        assert [
            image["RepoTags"] for image in (images if isinstance(images, list) else [images])
        ] == [["busybox:bench"]]


def hang(folder: str) -> None:
    """A client whose build never ends."""
    Site(OwnEngine(Path(folder), {})).build("FROM busybox:bench\nRUN sleep 1000\n")


def test_up_of_one_service_builds_what_its_image_is_made_from(shell: Shell) -> None:
    shell.write(
        compose_yaml=services(
            web={
                "build": {
                    "context": ".",
                    "dockerfile_inline": 'FROM base\nCMD ["sleep", "1000"]\n',
                    "additional_contexts": {"base": "service:lower"},
                },
                "init": True,
            },
            lower={
                "build": {
                    "context": ".",
                    "dockerfile_inline": "FROM busybox:bench\nRUN echo below > /below\n",
                }
            },
        )
    )
    try:
        shell.does("up", "-d", "web")
        assert shell.does("exec", "-T", "web", "cat", "/below") == "below\n"
        assert shell.does("ps", "--services", "-a") == "web\n"
        assert "lower" not in shell.does("up", "-d", "web")
    finally:
        shell.does("down", "-t", "0")
