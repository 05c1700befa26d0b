"""What an artifact holds, and how what is fetched is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compose.errors import ComposeError
from compose.operations.publishing import ENV_FILE, FILE
from compose.operations.remote_files import contents_of, fetch, is_commit, kept_in


def manifest(*layers: dict[str, Any]) -> bytes:
    return json.dumps({"layers": [{"digest": f"sha256:{n}", **layer} for n, layer in enumerate(layers)]}).encode()  # fmt: skip


def test_the_files_of_an_artifact() -> None:
    raw = manifest(
        {"mediaType": FILE},
        {"mediaType": FILE, "annotations": {"com.docker.compose.file": "over.yaml"}},
        {"mediaType": FILE, "annotations": {"com.docker.compose.extends": "true", "com.docker.compose.file": "base.yaml"}},
        {"mediaType": ENV_FILE, "annotations": {"com.docker.compose.envfile": "x.env"}},
        {"mediaType": "application/vnd.oci.empty.v1+json"},
    )  # fmt: skip
    assert contents_of("r", raw) == {
        "compose.yaml": ["sha256:0", "sha256:1"], "base.yaml": ["sha256:2"], "x.env": ["sha256:3"],
    }  # fmt: skip


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"layers": [1]}', manifest({"mediaType": "image"}), manifest({"mediaType": ENV_FILE})])  # fmt: skip
def test_what_is_no_project(raw: bytes) -> None:
    with pytest.raises(ComposeError, match="r is no Compose project"):
        contents_of("r", raw)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "..", "", "a/b"])
def test_no_file_leaves_its_folder(name: str) -> None:
    layer = {"mediaType": ENV_FILE, "annotations": {"com.docker.compose.envfile": name}}
    with pytest.raises(ComposeError, match="leave its folder"):
        contents_of("r", manifest({"mediaType": FILE}, layer))


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_text("")
        raise ComposeError("lost")

    with pytest.raises(ComposeError, match="lost"):
        kept_in(tmp_path / "kept", fill)
    assert not list(tmp_path.iterdir())
    made = kept_in(tmp_path / "kept", lambda folder: None)
    assert kept_in(made, fill) == made


def test_bad_names() -> None:
    assert is_commit("0123456789abcdef" * 2 + "01234567")
    assert not is_commit("main")
    with pytest.raises(ComposeError, match="set HOME"):
        fetch("oci://x/y", {})
    with pytest.raises(ComposeError, match="no branch"):
        fetch("https://host/x.git#--exec=x", {"HOME": "/nonexistent"})
