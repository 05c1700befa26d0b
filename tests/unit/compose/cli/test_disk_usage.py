"""`system df`: counts, sizes, and what could be freed."""

from __future__ import annotations

from typing import Any

from compose.cli.disk_usage import details, summary

FOUND: dict[str, Any] = {
    "LayersSize": 3000,
    "Images": [
        {"Id": "sha256:" + "a" * 64, "RepoTags": ["a:1"], "Size": 2000, "SharedSize": 0, "Containers": 1},
        {"Id": "sha256:" + "b" * 64, "RepoTags": None, "Size": 1000, "SharedSize": -1, "Containers": 0},
    ],
    "Containers": [
        {"Id": "c" * 64, "Image": "a:1", "State": "running", "Status": "Up", "SizeRw": 10, "Names": ["/one"]},
        {"Id": "d" * 64, "Image": "a:1", "State": "exited", "Status": "Exited (0)", "SizeRw": 30, "Names": ["/two"]},
    ],
    "Volumes": [{"Name": "v", "UsageData": {"RefCount": 0, "Size": 500}}, {"Name": "w", "UsageData": None}],
    "BuildCache": [{"ID": "k", "Type": "regular", "Size": 7, "InUse": False, "UsageCount": 2}],
}  # fmt: skip


def test_a_row_a_kind() -> None:
    rows = {row["Type"]: row for row in summary(FOUND)}
    assert rows["Images"] == {
        "Type": "Images", "TotalCount": "2", "Active": "1", "Size": "3kB", "Reclaimable": "1kB (33%)",
    }  # fmt: skip
    assert (rows["Containers"]["Active"], rows["Containers"]["Reclaimable"]) == ("1", "30B (75%)")
    assert (rows["Local Volumes"]["TotalCount"], rows["Local Volumes"]["Reclaimable"]) == ("2", "500B (100%)")  # fmt: skip
    assert rows["Build Cache"]["Reclaimable"] == "7B"
    assert [row["TotalCount"] for row in summary({})] == ["0"] * 4


def test_each_object_for_itself() -> None:
    assert details("Images", FOUND)[2][0] == "<none>"
    assert details("Containers", FOUND)[1][-1] == "one"
    assert details("Volumes", FOUND)[1:] == [["v", "0", "500B"], ["w", "0", "0B"]]
    assert details("BuildCache", FOUND)[1] == ["k", "regular", "7B", "2"]
