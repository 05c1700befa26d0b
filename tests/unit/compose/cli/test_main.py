"""The command line from outside: one line for what is wrong, exit code 1, help, lazy imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compose.cli import main as entry
from compose.cli.command import Invocation
from compose.cli.flags import parse
from compose.cli.groups import GROUPS
from compose.errors import ComposeError, UsageError

HOUSE = Path(__file__).resolve().parents[4]
EVERYTHING = {**entry.COMMANDS, **entry.MANAGEMENT}


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = entry.main(list(argv))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name != "engine"])
def test_every_command_has_help_and_knows_its_flags(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, name, "--help")
    assert code == 0
    assert out.startswith("Usage:  pycompose ")
    assert EVERYTHING[name][1].split()[0] in out
    code, _, err = said(capsys, name, "--no-such-flag")
    assert code == 1
    assert err == f"unknown flag: --no-such-flag: see 'pycompose {name} --help'\n"


@pytest.mark.parametrize(
    ("group", "verb"), [(group, verb) for group, one in GROUPS.items() for verb in one.commands]
)
def test_every_command_of_a_group_has_help(
    group: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, *group.split(), verb, "--help")
    assert code == 0
    assert out.startswith(f"Usage:  pycompose {group} {verb}")
    assert GROUPS[group].commands[verb][1] in out
    code, _, err = said(capsys, *group.split(), verb, "--no-such-flag")
    assert (code, err.partition(":")[0]) == (GROUPS[group].usage_code, "unknown flag")


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([*group.split()], [*group.split(), "--help"], ["help", *group.split()]):
        code, out, _ = said(capsys, *argv)
        assert code == 0
        assert not [verb for verb in GROUPS[group].commands if f"\n  {verb} " not in out]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["frobnicate"], 'unknown command: "frobnicate"'),
        (["pss"], "did you mean ps?"),
        (["--nope"], "unknown flag: --nope"),
        (["exec", "web"], "exec requires at least 2 arguments"),
        (["port", "a", "b", "c"], 'unexpected argument "c"'),
        (["port", "a", "b"], 'invalid port "b"'),
        (["--ansi", "sometimes", "ls"], 'unknown --ansi value "sometimes"'),
        (["--progress", "fancy", "up"], 'unsupported --progress value "fancy"'),
        (["--host", "carrier-pigeon", "ls"], 'cannot use "carrier-pigeon"'),
        (["--host", "unix:///nowhere/at.all", "ls"], "no engine answers at unix:///nowhere/at.all"),
        (["up", "--build", "--no-build"], "--build and --no-build are incompatible"),
        (["up", "--force-recreate", "--no-recreate"], "are incompatible"),
        (["up", "-d", "--abort-on-container-exit"], "--detach cannot be combined"),
        (["up", "--scale", "web"], 'invalid --scale option "web"'),
        (["down", "--rmi", "some"], 'invalid value for --rmi: "some"'),
        (["run", "--label", "x", "web"], "label must be set as KEY=VALUE"),
        (["logs", "--since", "yesterday"], "cannot read the time"),
        (["ps", "--filter", "x"], "form KEY=VAL"),
        (["image", "frob"], 'unknown command: "image frob"'),
        (["cp", "a", "b"], "unknown copy direction"),
        (["--dry-run", "container", "rm", "x"], "container rm has no rehearsal"),
    ],
)
def test_mistakes_are_one_line(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYCOMPOSE_HOST", raising=False)
    code, _, err = said(capsys, *argv)
    assert code == 1
    assert words in err
    assert err.count("\n") == 1


def test_general_help_names_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys)
    assert not [name for name in (*EVERYTHING, "image") if f"\n  {name} " not in out]


def test_errors_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "--progress", "json", "--host", "unix:///nowhere", "ls")
    assert (code, err.startswith('{"error": true, "message": "no engine')) == (1, True)


def test_a_bug_of_ours_is_a_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> int:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(entry, "dispatch", broken)
    assert said(capsys, "ls") == (
        1,
        "",
        "bug in pycompose: ZeroDivisionError: surprise (PYCOMPOSE_DEBUG=1 shows where)\n",
    )


def invocation(*argv: str) -> Invocation:
    return Invocation(
        parse(list(argv), entry.GLOBAL_FLAGS, interspersed=False, command="pycompose")
    )


@pytest.mark.parametrize(
    ("argv", "environment", "mode"),
    [
        ((), {}, "auto"),
        ((), {"NO_COLOR": "1"}, "never"),
        ((), {"COMPOSE_ANSI": "always"}, "always"),
        (("--ansi", "always"), {"NO_COLOR": "1"}, "always"),
    ],
)
def test_who_decides_on_colours(
    argv: tuple[str, ...], environment: dict[str, str], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "COMPOSE_ANSI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = invocation(*argv)
    assert found.ansi() == mode
    assert found.colours() is (mode == "always")
    assert not found.colours(no_color=True)


def test_progress_goes_where_the_person_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSE_STATUS_STDOUT", raising=False)
    assert invocation().status_stream() is sys.stderr
    monkeypatch.setenv("COMPOSE_STATUS_STDOUT", "true")
    assert invocation().status_stream() is sys.stdout


def test_the_parallel_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSE_PARALLEL_LIMIT", raising=False)
    assert invocation().parallel() is None
    assert invocation("--parallel", "3").parallel() == 3
    monkeypatch.setenv("COMPOSE_PARALLEL_LIMIT", "7")
    assert invocation().parallel() == 7
    assert invocation("--parallel", "-1").parallel() is None
    monkeypatch.setenv("COMPOSE_PARALLEL_LIMIT", "many")
    with pytest.raises(UsageError, match="COMPOSE_PARALLEL_LIMIT"):
        invocation().parallel()


ENV_FILE = """COMPOSE_ANSI=always
COMPOSE_PROGRESS=json
COMPOSE_PARALLEL_LIMIT=7
COMPOSE_STATUS_STDOUT=1
COMPOSE_REMOVE_ORPHANS=${YES}
COMPOSE_PROJECT_NAME=named
COMPOSE_FILE=other.yaml
OTHER=thing
YES=true
"""


@pytest.mark.parametrize(
    ("argv", "folder"),
    [
        ((), "project"),
        ((), "project/below"),
        (("--project-directory", "project"), ""),
        (("-f", "project/compose.yaml"), ""),
        (("--env-file", "project/.env"), ""),
    ],
)
def test_settings_may_stand_in_the_env_file(
    argv: tuple[str, ...], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith("COMPOSE_") or name in ("NO_COLOR", "PWD"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("YES", "1")
    (tmp_path / "project" / "below").mkdir(parents=True)
    (tmp_path / "project" / "compose.yaml").write_text("services: {}")
    (tmp_path / "project" / "other.yaml").write_text("services: {}")
    (tmp_path / "other.yaml").write_text("services: {}")
    (tmp_path / "project" / ".env").write_text(ENV_FILE)
    monkeypatch.chdir(tmp_path / folder)
    found = invocation(*argv)
    assert found.ansi() == "always"
    assert found.progress_mode() == "json"
    assert found.parallel() == 7
    assert found.status_stream() is sys.stdout
    assert found.is_on("COMPOSE_REMOVE_ORPHANS")
    assert found.environment["COMPOSE_PROJECT_NAME"] == "named"
    assert not {"COMPOSE_FILE", "OTHER"} & set(found.environment)  # the loader's own business
    assert found.session().identity()[0] == "named"
    assert not invocation("--env-file", "nowhere", *argv).is_on("COMPOSE_REMOVE_ORPHANS")
    monkeypatch.setenv("COMPOSE_REMOVE_ORPHANS", "0")
    monkeypatch.setenv("COMPOSE_PARALLEL_LIMIT", "2")
    assert not invocation(*argv).is_on("COMPOSE_REMOVE_ORPHANS")
    assert invocation(*argv).parallel() == 2
    options = parse(list(argv), entry.GLOBAL_FLAGS, interspersed=False, command="pycompose")
    assert Invocation(options, of_project=False).progress_mode() != "json"  # docker's commands


def test_a_project_without_files_may_be_named_in_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "PWD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ComposeError, match="no configuration file provided"):
        invocation().session().project_or_name()
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=named\nCOMPOSE_COMPATIBILITY=yes\n")
    assert invocation().session().project_or_name() == (None, "named")
    (tmp_path / "compose.yaml").write_text("services: {web: {build: .}}")
    project, _ = invocation().session().project_or_name()
    assert project is not None
    assert project.name_of("web", "1") == "named_web_1"
    monkeypatch.setenv("COMPOSE_COMPATIBILITY", "0")
    assert invocation().session().project().project.name_of("web") == "named-web"
    assert invocation("--compatibility").session().project().project.name_of("web") == "named_web"


@pytest.mark.parametrize(("compatibility", "image"), [(True, "x_web\n"), (False, "x-web\n")])
def test_config_names_the_images_that_are_built(
    compatibility: bool, image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compose.yaml").write_text("name: x\nservices: {web: {build: .}}")
    flags = ["--compatibility"] if compatibility else []
    file = str(tmp_path / "compose.yaml")
    assert said(capsys, *flags, "-f", file, "config", "--images") == (0, image, "")


#: Of the standard library, what takes longer to import than reading a small project.
SLOW = ("typing", "re", "json", "enum", "functools", "contextlib", "importlib.metadata")


@pytest.mark.parametrize(
    ("argv", "unwanted"),
    [
        (["version"], {*SLOW, "trio", "yaml", "dataclasses", "socket", "rich", "argparse"}),
        (["ls"], {"trio", "yaml", "rich", "compose.loader.load", "compose.model.service"}),
        (
            ["-p", "x", "ps"],
            {
                "typing",
                "trio",
                "rich",
                "dataclasses",
                "inspect",
                "compose.loader.load",
                "compose.model.service",
            },
        ),
        (["-p", "x", "exec", "a", "b"], {"trio", "rich", "compose.loader.load"}),
    ],
)
def test_a_command_imports_only_what_it_needs(argv: list[str], unwanted: set[str]) -> None:
    script = (
        "import sys; from compose.cli.main import main\n"
        f"main(['--host', 'unix:///nowhere', *{argv}])\n"
        f"found = {unwanted} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_config_of_a_known_project_imports_what_is_ours_alone(tmp_path: Path) -> None:
    script = (
        "import sys; before = set(sys.modules); from compose.cli.main import main\n"
        "assert not main(['-f', 'samples/identidock/compose.yaml', 'config', '-q'])\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=HOUSE,
            env={"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
    small = {"__future__", "types", "marshal", "_sha256", "_sha2"}
    assert set(done.stdout.split()) - small == {"compose"}


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_one_line(unbuffered: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m compose --help > /dev/full"], cwd=HOUSE, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        "cannot write the output: no space left on device\n",
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_trouble(closed: str) -> None:
    command = f"{sys.executable} -m compose version {closed}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"{sys.executable} -m compose --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
