"""Sections that an include is put into."""

from __future__ import annotations

from pathlib import Path

import pytest

from compose.errors import ProjectError
from compose.loader.load import LoadRequest, compose_document


def loaded(folder: Path, text: str) -> dict[str, object]:
    (folder / "inner.yaml").write_text(
        "services: {i: {image: i, networks: [n]}}\nnetworks: {n: {driver: d}}\n"
    )
    (folder / "compose.yaml").write_text(f"name: p\ninclude: [inner.yaml]\n{text}\n")
    return dict(compose_document(LoadRequest(working_dir=str(folder))).full)


def test_a_null_section_says_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, "networks:")["networks"] == loaded(tmp_path, "")["networks"]


@pytest.mark.parametrize("value", ["[n]", "n", "1"])
def test_a_section_that_is_no_mapping(tmp_path: Path, value: str) -> None:
    with pytest.raises(ProjectError, match=r"compose\.yaml:3:1: networks: must be a mapping"):
        loaded(tmp_path, f"networks: {value}")
