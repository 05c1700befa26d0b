"""Options of the local driver: what they ask for, and what is refused by name."""

from __future__ import annotations

import pytest

from engine.errors import EngineError
from engine.volumes.local_driver import MountPlan, plan_of


@pytest.mark.parametrize(
    ("options", "plan"),
    [
        ({}, None),
        (
            {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=7,nosuid,rw"},
            MountPlan("tmpfs", "tmpfs", ("nosuid",), ("size=1m", "uid=7")),
        ),
        (
            {"type": "none", "device": "/srv", "o": "bind,ro"},
            MountPlan("none", "/srv", ("ro",), (), bind=True),
        ),
        (
            {"type": "nfs", "device": ":/export", "o": "addr=10.0.0.1,nfsvers=4"},
            MountPlan("nfs", ":/export", (), ("addr=10.0.0.1", "nfsvers=4")),
        ),
    ],
)
def test_options_are_a_plan(options: dict[str, str], plan: MountPlan | None) -> None:
    assert plan_of(options) == plan


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"colour": "red"}, 'invalid option: "colour"'),
        ({"type": "tmpfs"}, 'missing required option: "device"'),
        ({"o": "bind", "device": "/x"}, 'missing required option: "type"'),
        ({"type": "none", "device": "x", "o": "bind"}, "must be an absolute path"),
        ({"size": "1g"}, "quota"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options: dict[str, str], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        plan_of(options)
