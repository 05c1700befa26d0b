"""`image ls --tree`."""

from __future__ import annotations

from typing import Any

from compose.cli.image_tree import tree_lines

AMD: dict[str, Any] = {
    "ID": f"sha256:{'a' * 64}", "Kind": "image", "Available": True,
    "Size": {"Content": 1_000, "Total": 3_000_000},
    "ImageData": {"Platform": {"os": "linux", "architecture": "amd64"}, "Containers": ["c"]},
}  # fmt: skip
ARM: dict[str, Any] = {
    "ID": f"sha256:{'b' * 64}", "Kind": "image", "Available": False, "Size": {},
    "ImageData": {"Platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
}  # fmt: skip
PAPERS: dict[str, Any] = {"ID": f"sha256:{'c' * 64}", "Kind": "attestation", "Size": {}}


def test_each_platform_has_its_line() -> None:
    item = {
        "Id": f"sha256:{'d' * 64}", "RepoTags": ["app:1", "app:latest"], "Size": 5,
        "Containers": 0, "Manifests": [AMD, ARM, PAPERS],
    }  # fmt: skip
    assert list(tree_lines([item])) == [
        "IMAGE             ID             DISK USAGE   CONTENT SIZE   USED",
        "app:1",
        "app:latest        dddddddddddd          3MB            1kB    ✔",
        "├─ linux/amd64    aaaaaaaaaaaa          3MB            1kB    ✔",
        "└─ linux/arm/v7   bbbbbbbbbbbb           0B             0B",
    ]


def test_an_engine_that_tells_no_manifests_has_images_alone() -> None:
    item = {"Id": f"sha256:{'d' * 64}", "RepoTags": None, "Size": 2_000_000, "Containers": -1}
    found = list(tree_lines([item, item]))
    assert found[1:] == [
        "<untagged>   dddddddddddd          2MB             0B",
        "",
        "<untagged>   dddddddddddd          2MB             0B",
    ]
