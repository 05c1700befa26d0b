"""BuildKit's flags of `image build`: secrets from files and variables, named contexts."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from compose.errors import ProjectError
from compose.operations.build_flags import gather_flags, read_secret

if TYPE_CHECKING:
    from pathlib import Path


def content(text: str, **environment: str) -> tuple[str, bytes]:
    name, encoded = read_secret(text, environment)
    return name, base64.b64decode(encoded)


def test_a_secret_is_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text("filed")
    assert content("id=t,src=token") == ("t", b"filed")
    assert content("id=t,type=file,source=token") == ("t", b"filed")
    assert content("id=t,env=TOKEN", TOKEN="set") == ("t", b"set")
    assert content("id=t,type=env,src=TOKEN", TOKEN="set") == ("t", b"set")
    assert content("id=token") == ("token", b"filed")
    assert content("id=token", token="set") == ("token", b"set")  # the variable goes first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("src=x", "id is missing"),
        ("id=a,sorce=x", "unknown field sorce"),
        ("id=a,type=vault", "unknown type vault"),
        ("id=a,env=NONE", '"NONE" is not set'),
        ("id=a,src=none", "none: No such file"),
    ],
)
def test_a_secret_that_cannot_be_is_named(text: str, said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        read_secret(text, {})


def test_contexts_are_folders_urls_and_images(tmp_path: Path) -> None:
    given = ("a=docker-image://x:1", f"b={tmp_path}", "c=https://host/x.git")
    inputs = gather_flags((), given, {}, {}, check=False, no_cache_filter=["base"])
    assert inputs.document["contexts"] == {
        "a": "docker-image://x:1", "b": "folder:.pycompose-contexts/0", "c": "https://host/x.git",
    }  # fmt: skip
    assert inputs.folders == ((".pycompose-contexts/0", tmp_path),)
    assert inputs.document["no_cache_filter"] == ["base"]
    assert "check" not in inputs.document
    assert gather_flags((), (), {}, {}).encoded() == b""
    for bad, said in (("x", "name=folder"), ("x=none", "no such folder"), ("x=oci-layout://y", "oci-layout")):  # fmt: skip
        with pytest.raises(ProjectError, match=said):
            gather_flags((), (bad,), {}, {})
