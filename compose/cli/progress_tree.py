"""What a live view shows: subjects in the order in which they came, parts below what they are part of. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from compose.operations.progress import Kind

MARKS = {"done": ("✔", "green"), "warning": ("!", "yellow"), "error": ("✘", "red")}
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
#: Colours as a terminal knows them, for what is written without rich.
CODES = {"green": "32", "yellow": "33", "red": "31", "cyan": "36", "blue": "34"}


class Line:
    """What is known of one subject. `parent` is the subject that it is a part of, "" for none."""

    def __init__(self, subject: str, parent: str, now: float) -> None:
        self.subject = subject
        self.parent = parent
        self.word = ""
        self.text = ""
        self.kind: Kind = "working"
        self.begun = now
        self.ended: float | None = None

    def tell(self, word: str, kind: Kind, text: str, now: float) -> None:
        """Take a report in."""
        self.word, self.kind, self.text = word, kind, text
        self.ended = None if kind == "working" else now


class Row(NamedTuple):
    """One line of the view: (text, colour) parts, and the time at its right end."""

    parts: tuple[tuple[str, str], ...]
    took: str


def title(lines: Iterable[Line], *, dry_run: bool) -> str:
    """ "[+] Running 2/3": parts are not counted."""
    whole = [line for line in lines if not line.parent]
    done = sum(line.kind != "working" for line in whole)
    return f"[+] {'DRY-RUN MODE - ' if dry_run else ''}Running {done}/{len(whole)}"


def rows(lines: list[Line], now: float, room: int) -> list[Row]:
    """The view, at most `room` rows: those that are done give way first. Parts of what is done are gone."""
    parts: dict[str, list[Line]] = {}
    for line in lines:
        if line.parent:
            parts.setdefault(line.parent, []).append(line)
    whole = [line for line in lines if not line.parent]
    shown: list[tuple[Line, str]] = []
    for line in whole:
        shown.append((line, ""))
        below = parts.get(line.subject, []) if line.kind == "working" else []
        shown += [(part, "└ " if part is below[-1] else "├ ") for part in below]
    if len(shown) > room:
        busy = [entry for entry in shown if entry[0].kind == "working" and not entry[1]]
        shown = (busy or [entry for entry in shown if not entry[1]])[-room:]
    left = max((len(head(*entry)) for entry in shown), default=0)
    return [row(line, branch, left, now) for line, branch in shown]


def head(line: Line, branch: str) -> str:
    """A subject's name, indented if it is a part."""
    return f"   {branch}{line.subject}" if branch else line.subject


def row(line: Line, branch: str, left: int, now: float) -> Row:
    """A subject's row."""
    mark, colour = MARKS.get(line.kind, (SPINNER[int(now * 10) % len(SPINNER)], "cyan"))
    words = f"{line.word} {line.text}" if line.text else line.word
    return Row(
        (
            (f" {mark} ", colour), (f"{head(line, branch):<{left}}  ", ""),
            (words.replace("\n", " "), colour),
        ),
        "" if branch else f"{(line.ended or now) - line.begun:.1f}s",
    )  # fmt: skip


def plain(found: Iterable[Row], width: int) -> str:
    """The rows as text with a terminal's colours: the last state of a view that was never drawn."""
    lines: list[str] = []
    for one in found:
        room = width - len(one.took) - 2
        out, used = "", 0
        for text, colour in one.parts:
            shown = text[: max(room - used, 0)]
            used += len(shown)
            out += f"\x1b[{CODES[colour]}m{shown}\x1b[0m" if colour and shown else shown
        lines.append(f"{out}{' ' * max(room - used, 0)} \x1b[34m{one.took}\x1b[0m\n")
    return "".join(lines)
