"""What people read while images are built."""

from __future__ import annotations

from compose.operations.build_output import BuildLog, Follower, LiveFollower, PlainFollower

NS = 10**9


def began(number: int, title: str, at: float = 0) -> dict:
    return {
        "event": "began",
        "step": {"number": number, "title": title, "text": "", "line": number},
        "at_ns": round(at * NS),
    }


def said(number: int, text: str, stream: int = 1) -> dict:
    return {"event": "said", "number": number, "stream": stream, "text": text}


def ended(number: int, at: float = 0, *, cached: bool = False, error: str = "") -> dict:
    return {
        "event": "ended",
        "number": number,
        "at_ns": round(at * NS),
        "cached": cached,
        "error": error,
    }


FAILED = {
    "event": "failed", "text": "it failed", "place": "Dockerfile:2",
    "excerpt": [[1, "FROM x", False], [2, "RUN y", True]],
}  # fmt: skip


def test_plain_lines_have_the_step_s_number_and_time() -> None:
    lines: list[str] = []
    follower = PlainFollower("web", BuildLog(lines.append), several=False)
    for event in (
        began(1, "[1/3] FROM x"), ended(1, 0.01), began(2, "[2/3] RUN y", 1), said(2, "one\ntw"), said(2, "o\n"),
        said(2, "rest"), ended(2, 2.26), began(3, ""), ended(3), began(4, "[3/3] COPY a b"), ended(4, cached=True),
    ):  # fmt: skip
        follower.feed(event)
    assert lines == [
        "#1 [1/3] FROM x", "#1 DONE 0.0s", "", "#2 [2/3] RUN y", "#2 one", "#2 two", "#2 rest", "#2 DONE 1.3s",
        "", "#3 [3/3] COPY a b", "#3 CACHED",
    ]  # fmt: skip


def test_services_share_the_numbers_and_are_named() -> None:
    lines: list[str] = []
    log = BuildLog(lines.append)
    web, db = PlainFollower("web", log, several=True), PlainFollower("db", log, several=True)
    web.feed(began(1, "[2/2] RUN a"))
    db.feed(began(1, "[2/2] RUN b"))
    web.feed(said(1, "from web\n"))
    assert lines == [
        "#1 [web 2/2] RUN a",
        "",
        "#2 [db 2/2] RUN b",
        "",
        "#1 [web 2/2] RUN a",
        "#1 from web",
    ]


def test_a_failure_shows_the_last_output_and_the_dockerfile() -> None:
    follower = Follower("web", several=False)
    follower.feed(began(1, "[2/2] RUN y"))
    follower.feed(said(1, "".join(f"line {n}\n" for n in range(100))))
    follower.feed(ended(1, error="it failed"))
    follower.feed(FAILED)
    assert follower.failure[:2] == ["------", " > [2/2] RUN y:"]
    assert follower.failure[2] == "line 80"
    assert follower.failure[-5:] == [
        "Dockerfile:2",
        "-" * 20,
        "   1 |     FROM x",
        "   2 | >>> RUN y",
        "-" * 20,
    ]


def test_progress_bars_show_their_last_state() -> None:
    lines: list[str] = []
    follower = PlainFollower("web", BuildLog(lines.append), several=False)
    follower.feed(began(1, "[2/2] RUN y"))
    follower.feed(said(1, "10%\r50%\r100%\n"))
    assert lines[-1] == "#1 100%"


def test_live_reports_redraw_one_line_a_step() -> None:
    told: list[tuple] = []
    follower = LiveFollower("web", lambda *report: told.append(report), several=True)
    for event in (began(1, "[2/2] RUN y"), said(1, "a\nb\n"), ended(1)):
        follower.feed(event)
    assert told == [
        ("[web 2/2] RUN y", "", "working", ""), ("[web 2/2] RUN y", "", "working", "a"),
        ("[web 2/2] RUN y", "", "working", "b"), ("[web 2/2] RUN y", "DONE", "done", ""),
    ]  # fmt: skip


def test_warnings_name_their_rule_and_place() -> None:
    follower = Follower("web", several=False)
    follower.feed(
        {
            "event": "warned",
            "text": "careful",
            "rule": "R",
            "url": "u",
            "line": 1,
            "place": "D:1",
            "excerpt": [[1, "x", True]],
        }
    )
    follower.feed({"event": "warned", "text": "plain", "rule": ""})
    assert follower.warnings[0][:3] == ["WARNING: R - u", "careful", "D:1"]
    assert follower.warnings[1] == ["[Warning] plain"]
