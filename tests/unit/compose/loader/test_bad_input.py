"""Files that are broken or meant to break: one clear line each, soon, and with little memory."""

from __future__ import annotations

import io
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from compose.errors import ProjectError
from compose.loader.load import Loaded, LoadRequest, load_project

IMAGE = "services: {a: {image: x}}\n"
LETTERS = "abcdefghijklmnopqrstuvw"


def bomb(first: str, more: str) -> str:
    """Anchors that each name the one before it, twice or more."""
    lines = [f"x-a: &a {first}"]
    for one, two in pairwise(LETTERS):
        lines.append(f"x-{two}: &{two} {more.replace('@', '*' + one)}")
    return IMAGE + "\n".join(lines) + "\n"


#: name -> (content, what is said).
BROKEN = {
    "lists of lists": (bomb("[x, x]", "[@, @, @, @, @, @, @]"), "aliases of aliases make this file grow too large: write them out"),
    "mappings of mappings": (bomb("{k: x, l: x}", "{k: @, l: @}"), "aliases of aliases make this file grow too large: write them out"),
    "merges of merges": (bomb("{k: x, l: x}", "{<<: [@, @]}"), "aliases of aliases make this file grow too large: write them out"),
    "an alias in itself": ("services: {a: &a {image: x, labels: *a}}\n", "compose.yaml:1:15: services.a.labels: an alias contains itself: break the circle"),
    "deep lists": (IMAGE + "x-a: " + "[" * 200_000 + "\n", "compose.yaml:2:1005: expected YAML, but exceeded maximum nesting depth while increasing flow level: check quotes, brackets and indentation"),
    "deep enough for the loader": (IMAGE + "x-a: " + "[" * 700 + "]" * 700 + "\n", "compose.yaml:1:1: nested too deeply: make the file flatter"),
    "a tab": ("services:\n  a:\n\timage: x\n", "compose.yaml:3:1: a tab as indentation: use spaces"),
    "latin-1": ("services: {a: {image: é}}\n".encode("latin-1"), "compose.yaml:1:24: not UTF-8: save the file as UTF-8 text"),
    "bytes": (bytes(range(256)), "compose.yaml:1:1: not UTF-8: save the file as UTF-8 text"),
    "a bell": ("services:\n  a: {image: 'x\a'}\n", "compose.yaml:2:16: a control character (U+0007), which YAML forbids: remove it"),
    "the same key twice": ("services: {a: {image: x},\n a: {image: y}}\n", "compose.yaml:2:2: services.a: defined before, in line 1: remove one of the two"),
    "a key that is no text": ("services: {a: {image: x}}\n5: x\n", "compose.yaml:2:1: non-string key at top level: 5: put it in quotes"),
    "a quote left open": ("services: {a: {image: 'x}}\n", "compose.yaml:1:23: found unexpected end of stream while scanning a quoted scalar: check quotes, brackets and indentation"),
    "an unknown alias": ("services: {a: {image: *nope}}\n", "compose.yaml:1:23: expected YAML, but found undefined alias: check quotes, brackets and indentation"),
    "nothing": ("", "compose.yaml: an empty compose file: add services"),
    "a comment": ("# services\n", "compose.yaml: an empty compose file: add services"),
    "a text": ("hello\n", "compose.yaml:1:1: the top level must be a mapping: begin with `services:`"),
    "an include of itself": ("include: [compose.yaml]\n" + IMAGE, "compose.yaml:1:11: include[0]: include cycle: compose.yaml includes compose.yaml: remove one"),
    "an include of a folder": ("include: [folder]\n" + IMAGE, "compose.yaml:1:11: include[0]: folder is a folder: name the file in it"),
    "an extends of a folder": ("services: {a: {extends: {file: folder, service: x}}}\n", "compose.yaml:1:26: services.a.extends.file: folder is a folder: name the file in it"),
    "an env_file that is missing": ("services: {a: {image: x, env_file: gone.env}}\n", "compose.yaml:1:26: services.a.env_file[0]: env file gone.env not found: create it, or say required: false"),
    "an env_file that is a folder": ("services: {a: {image: x, env_file: folder}}\n", "compose.yaml:1:26: services.a.env_file[0]: folder is a folder: name the file in it"),
    "an env_file that is none": ("services: {a: {image: x, env_file: folder/odd.env}}\n", "compose.yaml:1:26: services.a.env_file[0]: folder/odd.env:1: the name 'A B' contains a space: remove it"),
    "a number of 5,000 digits": (f"services: {{a: {{image: x, scale: '{'9' * 5000}'}}}}\n", f"compose.yaml:1:26: services.a.scale: '{'9' * 30}' is too large: give a smaller number"),
}  # fmt: skip


def load(folder: Path, **request: object) -> Loaded:
    return load_project(LoadRequest(working_dir=str(folder), project_name="p", **request))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_one_line_soon(tmp_path: Path, name: str) -> None:
    content, line = BROKEN[name]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "odd.env").write_text("A B=c\n")
    file = tmp_path / "compose.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(ProjectError) as refused:
        load(tmp_path)
    assert len(refused.value.lines) == 1
    assert refused.value.lines[0].endswith(line)
    assert time.process_time() - begin < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize("file", ["/dev/zero", "-"])
def test_a_file_without_end_is_not_read_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    with open("/dev/zero", "rb") as endless:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(endless))
        with pytest.raises(ProjectError, match=f"^{file}: larger than 16 MiB"):
            load(tmp_path, files=(file,))


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "round").symlink_to("round")
    for file, line in {
        "folder": "folder is a folder: name the file in it",
        "gone": "gone: no such file or directory: check the path",
        "round": "round: too many levels of symbolic links: check the path",
    }.items():
        with pytest.raises(ProjectError, match=f"^{line}$"):
            load(tmp_path, files=(file,))
    (tmp_path / "compose.yaml").write_text(IMAGE)
    with pytest.raises(ProjectError, match="^couldn't find env file: .*: check --env-file$"):
        load(tmp_path, env_files=("gone",))


def test_extends_in_a_circle_through_files(tmp_path: Path) -> None:
    for one, two in (("compose", "other"), ("other", "compose")):
        text = f"services: {{{one[0]}: {{extends: {{file: {two}.yaml, service: {two[0]}}}}}}}\n"
        (tmp_path / f"{one}.yaml").write_text(text)
    with pytest.raises(ProjectError) as refused:
        load(tmp_path)
    circle = "c in compose.yaml -> o in other.yaml -> c in compose.yaml"
    problem = f"services.c.extends: circular reference: {circle}: remove one extends"
    assert refused.value.lines == [f"compose.yaml:1:16: {problem}"]


def test_an_env_file_in_another_encoding_is_read_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x, env_file: latin.env}}\n")
    (tmp_path / "latin.env").write_bytes("A=é!\n".encode("latin-1"))
    loaded = load(tmp_path)
    assert loaded.project.services["a"].environment == {"A": "\ufffd!"}
    assert "latin.env: not UTF-8 text" in loaded.warnings[0]


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"services: {a: {image: x, q: 1}}"))
    )
    with pytest.raises(ProjectError, match="^-:1:26: services.a.q: unknown attribute"):
        load(tmp_path, files=("-",))


def test_utf_16_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "compose.yaml").write_text(IMAGE, encoding=encoding)
        assert set(load(tmp_path).project.services) == {"a"}
