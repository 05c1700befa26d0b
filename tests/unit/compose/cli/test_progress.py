"""How progress looks without a terminal, and on one."""

from __future__ import annotations

import io
import re

from compose.cli.live import LiveProgress
from compose.cli.progress import choose_progress
from compose.cli.progress_tree import Line, rows, title


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


def test_a_quick_command_is_written_once_and_without_rich() -> None:
    stream = io.StringIO()
    progress = LiveProgress(stream, dry_run=False, moment=60)
    progress.report("Container x-a-1", "Starting")
    progress.warn("careful")
    progress.report("Container x-a-1", "Started", "done")
    progress.report("Container x-b-1", "Error", "error", "no")
    progress.close()
    text = re.sub(r"\x1b\[\d+m", "", stream.getvalue())
    lines = text.splitlines()
    assert lines[:2] == ["warning: careful", "[+] Running 2/2"]
    assert lines[2].startswith(" ✔ Container x-a-1  Started ")
    assert lines[3].startswith(" ✘ Container x-b-1  Error no ")
    assert lines[3].endswith(" 0.0s")
    assert len(lines) == 4


def test_what_takes_longer_is_redrawn() -> None:
    stream = io.StringIO()
    progress = LiveProgress(stream, dry_run=True, moment=0)
    progress.report("Container x-a-1", "Starting")
    assert progress._timer is not None
    progress._timer.join()
    progress.line("between")
    progress.report("Container x-a-1", "Started", "done")
    progress.close()
    text = stream.getvalue()
    assert "between" in text
    assert "[+] DRY-RUN MODE - Running 1/1" in text
    assert "Container x-a-1" in text


def test_a_view_that_is_closed_before_its_moment_leaves_no_thread() -> None:
    progress = LiveProgress(io.StringIO(), dry_run=False, moment=60)
    progress.report("a", "Starting")
    timer = progress._timer
    progress.close()
    assert timer is not None
    assert not timer.is_alive()


def told(*reports: tuple[str, str, str, str]) -> list[Line]:
    lines: dict[tuple[str, str], Line] = {}
    for subject, word, kind, parent in reports:
        line = lines.setdefault((parent, subject), Line(subject, parent, 0))
        line.tell(word, kind, "", 1)  # type: ignore[arg-type]
    return list(lines.values())


def text(lines: list[Line], room: int = 20) -> list[str]:
    return ["".join(words for words, _ in row.parts).rstrip() for row in rows(lines, 2, room)]


def test_layers_are_below_their_image_until_it_is_there() -> None:
    lines = told(
        ("web", "Pulling", "working", ""), ("a1", "Downloading", "working", "web"),
        ("b2", "Pull complete", "done", "web"), ("db", "Pulled", "done", ""), ("c3", "x", "done", "db"),
    )  # fmt: skip
    shown = text(lines)
    assert [line[3:] for line in shown] == [
        "web      Pulling", "   ├ a1  Downloading", "   └ b2  Pull complete", "db       Pulled",
    ]  # fmt: skip
    assert title(lines, dry_run=False) == "[+] Running 1/2"


def test_in_a_small_window_what_is_under_way_is_shown() -> None:
    lines = told(*((f"c{n}", "Started", "done" if n < 8 else "working", "") for n in range(10)))
    assert [line[3:5] for line in text(lines, room=3)] == ["c8", "c9"]
