"""Our `config` beside docker compose's, over every project in projects/.

A folder is a project. Its file `arguments`, if there is one, has a command line a line; otherwise the
whole document is compared, as JSON and YAML, and the hashes; `stdin`
is what is typed. What the reference prints is right, byte for byte; what it refuses
we refuse. It needs no Docker.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compose.errors import ComposeError
from compose.loader.load import LoadRequest
from compose.operations.config import ConfigRequest, config

pytestmark = pytest.mark.peer

HERE = Path(__file__).parent
HOUSE = HERE.parents[1]
DEFAULT = "config --format json\nconfig\nconfig --hash '*'"
UNSORTED = {"--volumes", "--networks", "--images", "--services", "--variables"}


def cases() -> list[tuple[str, str]]:
    """(folder, command line) of every case."""
    found = []
    for folder in sorted(path for path in (HERE / "projects").iterdir() if path.is_dir()):
        arguments = folder / "arguments"
        text = arguments.read_text() if arguments.exists() else DEFAULT
        found += [(folder.name, line) for line in text.splitlines() if line and line[0] != "#"]
    return found


def request(line: str, folder: Path, environment: dict[str, str]) -> ConfigRequest:
    """The command line as the CLI would ask it."""
    parser = argparse.ArgumentParser()
    for name in ("-f", "--profile", "--env-file"):
        parser.add_argument(name, action="append", default=[])
    for name in ("-p", "--project-directory", "--format", "--hash"):
        parser.add_argument(name, default="")
    parser.add_argument("config")
    parser.add_argument("services", nargs="*")
    listings = (
        "services",
        "volumes",
        "networks",
        "models",
        "profiles",
        "images",
        "variables",
        "environment",
    )
    for name in listings:
        parser.add_argument(f"--{name}", action="store_true", dest=f"list_{name}")
    for name in (
        "--no-interpolate", "--no-normalize", "--no-path-resolution", "--no-consistency",
        "--no-env-resolution", "--resolve-image-digests", "--lock-image-digests", "--quiet",
    ):  # fmt: skip
        parser.add_argument(name, action="store_true")
    got = parser.parse_intermixed_args(shlex.split(line))
    listing = "hash" if got.hash else next((n for n in listings if getattr(got, f"list_{n}")), None)
    return ConfigRequest(
        load=LoadRequest(
            files=tuple(got.f),
            project_directory=got.project_directory,
            project_name=got.p,
            profiles=tuple(got.profile),
            env_files=tuple(got.env_file),
            environment=environment,
            working_dir=str(folder),
            services=tuple(got.services),
            interpolate=not got.no_interpolate,
            normalize=not got.no_normalize,
            resolve_paths=not got.no_path_resolution,
            consistency=not got.no_consistency,
            resolve_environment=not got.no_env_resolution,
        ),
        format=got.format,
        listing=listing,  # type: ignore[arg-type]
        hashed=() if got.hash in {"", "*"} else tuple(got.hash.split(",")),
        quiet=got.quiet,
        resolve_image_digests=got.resolve_image_digests,
        lock_image_digests=got.lock_image_digests,
    )


@pytest.fixture(scope="session")
def reference() -> Path:
    found = list((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    if not found:
        pytest.skip("the reference is not installed: sh .ci/reference")
    return found[0]


@pytest.mark.parametrize(("folder", "line"), cases(), ids=str)
def test_config_is_the_reference(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, line: str
) -> None:
    place = tmp_path / folder
    shutil.copytree(HERE / "projects" / folder, place)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/home/somebody",
        "SHELL_VARIABLE": "from the shell",
    }
    typed = (place / "stdin").read_bytes() if (place / "stdin").exists() else b""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    theirs = subprocess.run(
        [reference, *shlex.split(line)],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        input=typed.decode(),
        check=False,
    )
    if theirs.returncode:
        with pytest.raises(ComposeError) as refused:
            config(request(line, place, environment))
        assert "\n" not in str(refused.value)
        return
    ours = config(request(line, place, environment))
    if UNSORTED & set(line.split()):
        assert sorted(ours.splitlines()) == sorted(theirs.stdout.splitlines())
    else:
        assert ours == theirs.stdout
