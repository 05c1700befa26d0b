"""What is told while steps run: a subject, a word, whether it is under way, done or wrong.

Operations report values; how they look (plain lines, a live view, JSON, nothing) is the cli's.
"""

from __future__ import annotations

from compose.planner import steps as s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal, Protocol

    from compose.planner.steps import Step

    Style = Literal["plain", "live", "json", "quiet"]
    Kind = Literal["working", "done", "warning", "error"]
else:
    Protocol = object


class Progress(Protocol):
    """Where reports go. `style`: "live" redraws a subject's line in place, "plain" writes each."""

    @property
    def style(self) -> Style:
        """Which."""

    def report(
        self, subject: str, word: str, kind: Kind = "working", text: str = "", parent: str = ""
    ) -> None:
        """`subject` ("Container x-a-1") is now `word` ("Creating"); `text` says more.

        `parent` is the subject that it is a part of: a layer's image.
        """

    def warn(self, text: str) -> None:
        """A warning that is about no step."""

    def line(self, text: str) -> None:
        """A line of another program's output, a builder's: to standard output."""

    def quote(self, source: str, text: str) -> None:
        """A line that a container wrote, or its probe: shown with a failure, as its cause."""

    def close(self) -> None:
        """Nothing more comes; a live view leaves the screen as it is."""


def words(step: Step) -> tuple[str, str, str]:
    """(subject, word while it runs, word when it is done); "" says nothing."""
    match step:
        case s.CreateNetwork() | s.RemoveNetwork():
            subject = f"Network {step.name}"
        case s.CreateVolume() | s.RemoveVolume():
            subject = f"Volume {step.name}"
        case s.RemoveImage():
            subject = f"Image {step.name}"
        case s.PullImage() | s.BuildImage() | s.WaitCondition() | s.WatchUpdate() | s.Delay():
            subject = step.service
        case _:
            subject = f"Container {step.name}"
    return (subject, *_verbs(step))


VERBS: Mapping[type, tuple[str, str]] = {
    s.CreateContainer: ("Creating", "Created"),
    s.CreateNetwork: ("Creating", "Created"),
    s.CreateVolume: ("Creating", "Created"),
    s.RenameContainer: ("", "Recreated"),
    s.StartContainer: ("Starting", "Started"),
    s.StopContainer: ("Stopping", "Stopped"),
    s.RestartContainer: ("Restarting", "Started"),
    s.KillContainer: ("Killing", "Killed"),
    s.PauseContainer: ("Pausing", "Paused"),
    s.RemoveContainer: ("Removing", "Removed"),
    s.RemoveNetwork: ("Removing", "Removed"),
    s.RemoveVolume: ("Removing", "Removed"),
    s.RemoveImage: ("Removing", "Removed"),
    s.PullImage: ("Pulling", "Pulled"),
    s.BuildImage: ("Building", "Built"),
}


def _verbs(step: Step) -> tuple[str, str]:
    """What is said before and after; nothing of waits, hooks and parts of a replacement."""
    match step:
        case s.CreateContainer() if step.replaces:
            return "Recreate", ""
        case s.StopContainer() | s.RemoveContainer() | s.RenameContainer() if step.quiet:
            return "", ""
        case s.PauseContainer() if step.thaw:
            return "Unpausing", "Unpaused"
        case _:
            return VERBS.get(type(step), ("", ""))
