"""The Dockerfile's checks, each by an example that has the fault and one that has it not."""

from __future__ import annotations

import pytest

from engine.build.checks import check, read_setting
from engine.build.dockerfile import parse
from engine.build.solve import solve
from engine.errors import InvalidRequestError
from engine.images.registry.manifest import Platform


def rules(text: str, ignored: str = "", args: dict | None = None) -> list[tuple[str, int]]:
    dockerfile = parse(text)
    solution = solve(dockerfile, args or {}, Platform("linux", "amd64"))
    return [(one.rule, one.line) for one in check(dockerfile, solution, ignored)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM x AS Build\nCMD [\"a\"]", [("StageNameCasing", 1)]),
        ("FROM x as b", [("FromAsCasing", 1)]),
        ("from x as b", []),
        ("FROM x\nrun a\nRUN b", [("ConsistentInstructionCasing", 2)]),
        ("FROM x\nCMD a", [("JSONArgsRecommended", 2)]),
        ("FROM x\nMAINTAINER a", [("MaintainerDeprecated", 2)]),
        ("FROM x\nENV a b", [("LegacyKeyValueFormat", 2)]),
        ("FROM x\nARG MY_TOKEN", [("SecretsUsedInArgOrEnv", 2)]),
        ("FROM x\nENV PUBLIC_KEY=1", []),
        ("FROM x\nCMD [\"a\"]\nCMD [\"b\"]", [("MultipleInstructionsDisallowed", 2)]),
        ("FROM x\nWORKDIR a", [("WorkdirRelativePath", 2)]),
        ("FROM x\nWORKDIR /a\nWORKDIR b", []),
        ("FROM scratch\nCOPY $wat /", [("UndefinedVar", 2)]),
        ("FROM scratch\nARG wat\nCOPY $wat ${x:-y} /", []),
        ("FROM scratch AS a\nARG wat\nFROM a\nCOPY $wat /", []),
        ("ARG a\nFROM $a:x", [("InvalidDefaultArgInFrom", 2)]),
        ("FROM x$wat", [("UndefinedArgInFrom", 1)]),
        ("ARG a=1\nFROM x:$a", []),
        ("FROM --platform=linux/amd64 x", [("FromPlatformFlagConstDisallowed", 1)]),
        ("FROM --platform=$TARGETPLATFORM x", [("RedundantTargetPlatform", 1)]),
        ("FROM --platform=$BUILDPLATFORM x", []),
        ("FROM x AS scratch", [("ReservedStageName", 1)]),
        ("FROM x\nEXPOSE 80/TCP", [("ExposeProtoCasing", 2)]),
        ("FROM x\nRUN a \\\n\n  b", [("NoEmptyContinuation", 3)]),
        ("FROM x\nRUN <<EOF\na \\\n\nb\nEOF", []),
        ("# check=skip=JSONArgsRecommended\nFROM x\nCMD a", []),
        ("# check=skip=all\nFROM x as b\nCMD a", []),
    ],
)  # fmt: skip
def test_rules(text: str, found: list[tuple[str, int]]) -> None:
    assert rules(text) == found


def test_copies_of_ignored_files() -> None:
    assert rules("FROM x\nCOPY a.md b /\nCOPY --from=y a.md /\n", "*.md") == [
        ("CopyIgnoredFile", 2)
    ]


def test_the_directive() -> None:
    setting = read_setting("skip=A, B;error=true")
    assert setting.skipped == {"A", "B"}
    assert setting.fatal
    with pytest.raises(InvalidRequestError, match="unknown key wat"):
        read_setting("wat=1")
