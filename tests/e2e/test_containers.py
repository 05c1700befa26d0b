"""docker's commands for containers, networks, volumes and the engine; exec and attach as a person uses them."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import COMMAND
from tests.e2e.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import Person

pytestmark = pytest.mark.root


@pytest.fixture
def clean(person: Person, busybox: str) -> Iterator[str]:
    """The image; at the end no container is left."""
    yield busybox
    ids = person.does("container", "ls", "-aq").split()
    if ids:
        person.does("container", "rm", "-fv", *ids)


def test_the_file_for_the_id_is_there_before_the_container(
    person: Person, clean: str, tmp_path: Path
) -> None:
    file = tmp_path / "id"
    made = person.does("container", "create", "--cidfile", str(file), clean, "true").strip()
    assert file.read_text() == made
    for path, image, words in (
        (file, clean, "container ID file found"),
        (tmp_path / "no/id", clean, "failed to create the container ID file"),
        (tmp_path / "none", "no-such-image", "No such image"),
    ):
        for verb in ("create", "run"):
            options = ("--pull", "never", "--cidfile", str(path))
            done = person.pycompose("container", verb, *options, image, "true")
            assert done.returncode == (125 if verb == "run" else 1), done
            assert words in done.stderr
            assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["id"]
    assert person.does("container", "ls", "-aq", "--no-trunc").split() == [made]


def test_dockers_older_name_for_the_seconds_of_a_stop(person: Person, clean: str) -> None:
    person.does("container", "run", "-d", "--name", "one", clean, "sleep", "1000")
    person.does("container", "restart", "--time", "0", "one")
    person.does("container", "stop", "--time=0", "one")
    wrong = person.pycompose("container", "create", "--label", "=x", clean)
    assert (wrong.returncode, wrong.stdout) == (125, "")


@pytest.fixture
def project(person: Person, busybox: str, tmp_path: Path) -> Iterator[Path]:
    """A service with two containers that a person can type into."""
    folder = tmp_path / "typed"
    folder.mkdir()
    services = {
        "web": {"image": busybox, "command": ["sleep", "1000"], "scale": 2, "environment": {"A": "1"}},
        "shell": {"image": busybox, "command": ["sh"], "tty": True, "stdin_open": True},
    }  # fmt: skip
    (folder / "compose.yaml").write_text(json.dumps({"services": services}))
    person.does("up", "-d", cwd=folder)
    yield folder
    person.does("down", "-t", "0", cwd=folder)


def test_run_and_its_exit_codes(person: Person, clean: str, tmp_path: Path) -> None:
    def run(*words: str, stdin: str | None = None) -> tuple[int, str]:
        done = person.pycompose("container", "run", *words, stdin=stdin, cwd=tmp_path)
        assert done.stderr.count("\n") <= 1, done.stderr
        return done.returncode, done.stdout

    assert run("--rm", clean, "sh", "-c", "echo out; exit 3") == (3, "out\n")
    assert run("--rm", "-i", clean, "cat", stdin="piped") == (0, "piped")
    assert run("--rm", clean, "no-such-program")[0] == 127
    assert run("--rm", clean, "/etc")[0] == 126
    assert run("--rm", "--cpus", "many", clean)[0] == 125
    assert run("--rm", "--user", "nobody-knows", clean, "true")[0] in (125, 126)
    assert run("--rm", "--pull", "never", "no/such:image")[0] == 125
    assert person.does("container", "ls", "-aq") == ""
    (tmp_path / "env").write_text("B=2\n")
    code, out = run(
        "--rm", "-e", "A=1", "--env-file", "env", "-w", "/tmp", "-u", "7:8", "-h", "box",
        "--tmpfs", "/fast", "--read-only", "--cidfile", "cid", clean,
        "sh", "-c", "echo $A $B $PWD $(busybox id -u):$(busybox id -g) $HOSTNAME; touch /x || echo refused; touch /fast/x || echo mode",
    )  # fmt: skip
    assert code == 0
    assert out.splitlines()[:2] == ["1 2 /tmp 7:8 box", "refused"]
    assert len((tmp_path / "cid").read_text()) == 64
    assert run("--rm", "--cidfile", "cid", clean, "true")[0] == 125


def test_a_containers_life(person: Person, clean: str) -> None:
    def does(*words: str, stdin: str | None = None) -> str:
        return person.does("container", *words, stdin=stdin)

    made = does("run", "-d", "--name", "one", "-l", "a=b", "--memory", "64m", "-v", "kept:/kept", clean, "sleep", "1000").strip()  # fmt: skip
    assert does("ls", "-q", "--no-trunc").strip() == made
    assert does("ls", "--filter", "label=a=b", "--format", '{{.Names}} {{.Label "a"}}') == "one b\n"
    assert does("exec", "-e", "X=5", "-w", "/kept", "one", "sh", "-c", "echo $X $PWD; echo data > f") == "5 /kept\n"  # fmt: skip
    assert does("exec", "-i", "one", "cat", stdin="typed") == "typed"
    assert person.pycompose("container", "exec", "one", "sh", "-c", "exit 9").returncode == 9
    assert person.pycompose("container", "exec", "one", "no-such").returncode in (126, 127)
    assert does("pause", "one") == "one\n"
    assert does("inspect", "-f", "{{.State.Status}}", "one") == "paused\n"
    assert does("unpause", "one") == "one\n"
    assert does("update", "--memory", "32m", "--memory-swap", "64m", "one") == "one\n"
    assert does("inspect", "-f", "{{.HostConfig.Memory}}", "one") == f"{32 << 20}\n"
    does("exec", "one", "sh", "-c", "echo new > /new")
    assert "A /new" in does("diff", "one").splitlines()
    assert does("stats", "--no-stream", "--format", "{{.Name}}", "one") == "one\n"
    assert "sleep 1000" in does("top", "one")
    does("rename", "one", "two")
    assert does("commit", "-m", "why", "-c", "ENV FROM=commit", "two", "made:1").startswith("sha256:")  # fmt: skip
    assert does("run", "--rm", "made:1", "sh", "-c", "cat /new; echo $FROM") == "new\ncommit\n"
    assert does("stop", "-t", "1", "two") == "two\n"
    assert does("wait", "two") == "137\n"
    assert does("start", "two") == "two\n"
    assert does("restart", "-t", "0", "two") == "two\n"
    assert does("kill", "-s", "KILL", "two") == "two\n"
    failed = person.pycompose("container", "rm", "two", "nobody")
    assert (failed.returncode, failed.stdout) == (1, "two\n")
    assert "nobody" in failed.stderr
    gone = person.pycompose("container", "rm", "-f", "two")
    assert (gone.returncode, gone.stdout) == (0, "")
    assert gone.stderr == "No such container: two\n"
    assert person.does("volume", "rm", "kept") == "kept\n"
    person.does("image", "rm", "made:1")


def test_files_in_and_out(person: Person, clean: str, tmp_path: Path) -> None:
    person.does("container", "create", "--name", "box", clean, "sh")
    folder = tmp_path / "tree"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").write_text("inside")
    person.does("container", "cp", str(folder), "box:/put")
    person.does("container", "cp", "box:/put/below/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "inside"
    done = subprocess.run(
        [*COMMAND, "container", "cp", "box:/put", "-"], env=person.environment, capture_output=True, check=True,
    )  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert "put/below/file" in archive.getnames()
    person.does("container", "export", "-o", str(tmp_path / "all.tar"), "box")
    with tarfile.open(tmp_path / "all.tar") as archive:
        assert archive.extractfile("put/below/file").read() == b"inside"  # type: ignore[union-attr]
    gone = person.pycompose("container", "cp", "box:/nothing", str(tmp_path))
    assert gone.returncode == 1
    assert gone.stderr.count("\n") == 1


def test_networks_and_volumes(person: Person, clean: str) -> None:
    person.does("network", "create", "--subnet", "10.198.200.0/24", "--label", "x=y", "tests")
    try:
        person.does("container", "run", "-d", "--name", "member", "--network", "tests", "--ip", "10.198.200.9", "--network-alias", "nick", clean, "sleep", "1000")  # fmt: skip
        assert person.does("network", "inspect", "-f", "{{range .Containers}}{{.Name}}{{end}}", "tests") == "member\n"  # fmt: skip
        found = person.does("container", "run", "--rm", "--network", "tests", clean, "busybox", "nslookup", "-type=a", "nick")  # fmt: skip
        assert "10.198.200.9" in found
        person.does("network", "connect", "bridge", "member")
        shown = person.does("container", "inspect", "-f", "{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}", "member")  # fmt: skip
        assert shown.split() == ["bridge", "tests"]
        person.does("network", "disconnect", "bridge", "member")
        busy = person.pycompose("network", "rm", "tests")
        assert (busy.returncode, busy.stderr.count("\n")) == (1, 1)
        person.does("container", "rm", "-f", "member")
    finally:
        person.does("network", "rm", "-f", "tests")
    assert person.does("volume", "create", "--label", "k=v", "mine") == "mine\n"
    assert person.does("volume", "ls", "-q", "--filter", "label=k=v") == "mine\n"
    assert "mine" in person.does("volume", "prune", "-f", "-a")
    asked = person.pycompose("system", "prune", stdin="n\n")
    assert asked.returncode == 1
    assert "Total reclaimed space" in person.does("system", "prune", "-f", "--volumes")


def test_exec_has_a_terminal_where_there_is_one(person: Person, project: Path) -> None:
    with typed(person, "exec", "web", "sh", cwd=project) as shell:
        shell.resize(33, 77)
        shell.types("busybox stty size; echo $A\n")
        shell.expect("33 77")
        shell.expect("1\r\n")
        shell.types("exit 6\n")
        assert shell.ends() == 6
    plain = person.pycompose("exec", "-T", "web", "sh", "-c", "test -t 0 || echo none", cwd=project)
    assert plain.stdout == "none\n"
    assert person.does("exec", "-T", "web", "cat", cwd=project, stdin="in") == "in"
    told = person.does("exec", "-T", "--index", "2", "-e", "B=7", "-u", "5", "-w", "/dev", "web", "sh", "-c", "echo $B $PWD $(busybox id -u) $HOSTNAME", cwd=project).split()  # fmt: skip
    second = person.does("container", "inspect", "-f", "{{.Config.Hostname}}", f"{project.name}-web-2").strip()  # fmt: skip
    assert told == ["7", "/dev", "5", second]
    person.does("exec", "-d", "web", "sh", "-c", "echo later > /later", cwd=project)
    missing = person.pycompose("exec", "-T", "--index", "9", "web", "true", cwd=project)
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


def test_leaving_a_terminal_by_keys(person: Person, project: Path) -> None:
    with typed(person, "attach", "shell", cwd=project) as shell:
        shell.types("echo one$((1+1))\n")
        shell.expect("one2")
        shell.types("\x10\x11")
        shell.expect("read escape sequence")
        assert shell.ends() == 1
    state = ("container", "inspect", "-f", "{{.State.Running}}", f"{project.name}-shell-1")
    assert person.does(*state) == "true\n"
    with typed(person, "attach", "--detach-keys", "ctrl-x", "shell", cwd=project) as shell:
        shell.types("echo \x10\x11three\n")
        shell.expect("three")
        shell.types("\x18")
        assert shell.ends() == 1
    with typed(person, "attach", "shell", cwd=project) as shell:
        shell.types("exit 4\n")
        assert shell.ends() == 4, shell.text
    assert person.does(*state) == "false\n"
    stopped = person.pycompose("attach", "shell", cwd=project)
    assert (stopped.returncode, stopped.stderr.count("\n")) == (1, 1)


def test_run_with_a_terminal_and_signals(person: Person, clean: str) -> None:
    with typed(person, "container", "run", "-it", "--rm", clean, "sh") as shell:
        shell.types("test -t 0 && echo ter''minal\n")
        shell.expect("terminal")
        shell.types("exit 2\n")
        assert shell.ends() == 2
    script = "trap 'echo caught; exit 8' USR1; echo ready; while :; do sleep 0.05; done"
    with typed(person, "container", "run", "--rm", clean, "sh", "-c", script) as running:
        running.expect("ready")
        running.sends(signal.SIGUSR1)
        running.expect("caught")
        assert running.ends() == 8
    assert person.does("container", "ls", "-aq") == ""


def test_images_are_built(person: Person, clean: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM {clean}\nARG WORD=none\nCOPY file /file\nRUN echo $WORD > /word\nLABEL a=b\n"
    )
    (tmp_path / "file").write_text("copied")
    told = person.pycompose("image", "build", "-t", "own:1", "--build-arg", "WORD=said", "--iidfile", "id", ".", cwd=tmp_path)  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "[2/3] COPY file /file" in told.stderr
    shown = person.does("container", "run", "--rm", "own:1", "sh", "-c", "cat /file /word")
    assert shown == "copiedsaid\n"
    image = person.does("image", "inspect", "-f", "{{.Id}}", "own:1").strip()
    assert (tmp_path / "id").read_text() == image
    quiet = person.does("image", "build", "-q", "--build-arg", "WORD=said", str(tmp_path))
    assert quiet.strip() == image
    given = f"FROM {clean}\nRUN --mount=type=secret,id=s cat /run/secrets/s > /told\nCOPY --from=beside file /file\n"
    (tmp_path / "given").write_text(given)
    person.does(
        "image", "build", "-t", "own:1", "--secret", "id=s,src=file", "--build-context", f"beside={tmp_path}",
        "-f", "given", "--progress", "plain", ".", cwd=tmp_path,
    )  # fmt: skip
    assert person.does("container", "run", "--rm", "own:1", "cat", "/told", "/file") == "copied" * 2
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(tmp_path / "Dockerfile", "Dockerfile")
        archive.add(tmp_path / "file", "file")
    piped = subprocess.run(
        [*COMMAND, "image", "build", "-q", "-t", "own:2", "-"], input=packed.getvalue(),
        env=person.environment, capture_output=True, check=False,
    )  # fmt: skip
    assert piped.returncode == 0, piped.stderr
    (tmp_path / "Dockerfile").write_text(f"FROM {clean}\nRUN exit 7\n")
    failed = person.pycompose("image", "build", ".", cwd=tmp_path)
    assert failed.returncode == 1
    assert "7" in failed.stderr.splitlines()[-1]
    missing = person.pycompose("image", "build", "-f", "nothing", ".", cwd=tmp_path)
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert f"{tmp_path}/nothing: no such file" in missing.stderr
    empty = person.pycompose("image", "build", "-f", "-", ".", cwd=tmp_path, stdin="")
    assert (empty.returncode, "is empty" in empty.stderr) == (1, True)
    person.does("image", "rm", "own:1", "own:2")
