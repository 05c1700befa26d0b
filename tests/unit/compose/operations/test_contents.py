"""Digests of the files that configs and secrets are."""

from __future__ import annotations

import os
from pathlib import Path

from compose.model.files import FileSource
from compose.model.project import Project
from compose.operations.contents import file_digest, with_digests


def test_a_file_has_a_digest_and_another_content_another(tmp_path: Path) -> None:
    file = tmp_path / "conf"
    file.write_text("1")
    first = file_digest(str(file))
    file.write_text("2")
    assert len({first, file_digest(str(file)), ""}) == 3


def test_what_is_no_readable_file_has_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "gone"):
        assert file_digest(str(path)) == ""


def test_only_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    sources = {
        "file": FileSource("file", "x_file", file=str(tmp_path / "f")),
        "inline": FileSource("inline", "x_inline", content="y"),
    }
    project = with_digests(Project("x", "/x", (), {}, configs=sources))
    assert project.configs["file"].digest == file_digest(str(tmp_path / "f"))
    assert project.configs["inline"] is not None
    assert project.configs["inline"].digest == ""
