"""What a failed pull means, and what of its progress is told."""

from __future__ import annotations

import io
import json

import pytest

from compose.cli.progress import JsonProgress, PlainProgress
from compose.operations.pulling import ImageFailedError, is_passing, raise_error, report


@pytest.mark.parametrize(
    "text",
    [
        "toomanyrequests: You have reached your pull rate limit",
        "cannot reach the registry https://r.test: [Errno -2] Name or service not known",
        "the registry https://r.test does not answer: it was silent for too long",
        "blob sha256:1: the connection broke: ",
        "the registry answered 503 for app",
        'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host',
        "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        "received unexpected HTTP status: 502 Bad Gateway",
    ],
)
def test_faults_of_the_way_pass(text: str) -> None:
    assert is_passing(text)


@pytest.mark.parametrize(
    "text",
    [
        "app:1: manifest unknown",
        "pull access denied for app, repository does not exist or may require 'docker login'",
        "blob sha256:1 arrived with another digest: refused",
        "no space left on device while a layer was unpacked",
        "no matching manifest for linux/s390x in the manifest list entries",
    ],
)
def test_faults_of_the_image_stay(text: str) -> None:
    assert not is_passing(text)


def test_an_error_in_the_stream_is_raised() -> None:
    with pytest.raises(ImageFailedError, match="no luck"):
        raise_error({"errorDetail": {"message": "no luck"}, "error": "other words"})
    raise_error({"status": "Pulling"})


def test_amounts_are_one_line_where_there_is_no_terminal_and_all_in_json() -> None:
    messages = [
        {"id": "abc", "status": status, "progressDetail": detail, "progress": bar}
        for status, detail, bar in (
            ("Downloading", {"current": 1, "total": 2}, "[==>  ]  1B/2B"),
            ("Downloading", {"current": 2, "total": 2}, "[=====]  2B/2B"),
            ("Download complete", {}, ""),
        )
    ]
    plain, machine = io.StringIO(), io.StringIO()
    for message in messages:
        report(message, JsonProgress(machine, dry_run=False))
    progress = PlainProgress(plain, dry_run=False)
    for message in messages:
        report(message, progress)
    assert plain.getvalue().split() == ["abc", "Downloading", "abc", "Download", "complete"]
    found = [json.loads(line) for line in machine.getvalue().splitlines()]
    assert [one.get("details", "") for one in found] == ["[==>  ]  1B/2B", "[=====]  2B/2B", ""]
    assert found[0]["text"] == "Downloading"
