"""What --change of commit and import may say."""

from __future__ import annotations

import pytest

from engine.errors import InvalidRequestError
from engine.images.changes import apply_changes


@pytest.mark.parametrize(
    ("change", "probe"),
    [
        ("HEALTHCHECK NONE", {"Test": ["NONE"]}),
        ("HEALTHCHECK CMD curl localhost", {"Test": ["CMD-SHELL", "curl localhost"]}),
        ('healthcheck --retries=2 CMD ["a", "b"]', {"Test": ["CMD", "a", "b"], "Retries": 2}),
        (
            "HEALTHCHECK --start-period=1s --timeout=1.5s CMD x",
            {"Test": ["CMD-SHELL", "x"], "Timeout": 1_500_000_000, "StartPeriod": 1_000_000_000},
        ),
    ],
)
def test_a_health_check(change: str, probe: dict[str, object]) -> None:
    assert apply_changes({}, [change]) == {"Healthcheck": probe}


@pytest.mark.parametrize(
    "change",
    [
        "HEALTHCHECK", "HEALTHCHECK CMD", "HEALTHCHECK NONE x", "HEALTHCHECK --odd=1 CMD x",
        "HEALTHCHECK --retries=x CMD y", "HEALTHCHECK --timeout=x CMD y", "RUN x", "ENV", "ONBUILD",
        "ONBUILD FROM x",
    ],
)  # fmt: skip
def test_nonsense_is_named(change: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        apply_changes({}, [change])
    assert change in str(caught.value)


def test_triggers_come_after_those_there_are() -> None:
    changes = ["ONBUILD COPY . /app", "onbuild RUN make"]
    assert apply_changes({"OnBuild": ["RUN a"]}, changes)["OnBuild"] == [
        "RUN a", "COPY . /app", "RUN make",
    ]  # fmt: skip
