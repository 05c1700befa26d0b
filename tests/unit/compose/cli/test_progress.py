"""How progress looks without a terminal, and on one."""

from __future__ import annotations

import io

from compose.cli.live import LiveProgress
from compose.cli.progress import choose_progress


def shown(mode: str, *, dry_run: bool = False) -> str:
    stream = io.StringIO()
    progress = choose_progress(mode, stream, dry_run=dry_run)
    progress.report("Container x-a-1", "Creating")
    progress.report("Container x-a-1", "Created", "done")
    progress.report("Container x-a-1", "Error", "error", "no such image")
    progress.warn("careful")
    progress.line("Step 1/2 : FROM scratch")
    progress.close()
    return stream.getvalue()


def test_plain_lines_are_docker_composes() -> None:
    assert shown("plain").splitlines() == [
        " Container x-a-1  Creating",
        " Container x-a-1  Created",
        " Container x-a-1  Error no such image",
        "warning: careful",
        "Step 1/2 : FROM scratch",
    ]


def test_a_rehearsal_says_so() -> None:
    assert shown("plain", dry_run=True).startswith(" DRY-RUN MODE -  Container x-a-1  Creating\n")


def test_quiet_warns_all_the_same() -> None:
    assert shown("quiet") == "warning: careful\n"


def test_json_is_an_object_a_line() -> None:
    assert shown("json").splitlines()[0] == (
        '{"id": "Container x-a-1", "status": "Working", "text": "Creating"}'
    )


def test_the_live_view_ends_with_what_was_last() -> None:
    stream = io.StringIO()
    progress = LiveProgress(stream, dry_run=False)
    progress.report("Container x-a-1", "Starting")
    progress.warn("careful")
    progress.report("Container x-a-1", "Started", "done")
    progress.report("Container x-b-1", "Error", "error", "no")
    progress.close()
    text = stream.getvalue()
    assert "careful" in text
    assert "[+] Running 2/2" in text
    assert "Container x-a-1" in text
    assert "Error no" in text
