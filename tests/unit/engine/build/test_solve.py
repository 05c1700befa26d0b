"""Which stages are built, on what, and how their steps are numbered."""

from __future__ import annotations

import pytest

from engine.build.dockerfile import parse
from engine.build.solve import Named, solve, step_key
from engine.errors import InvalidRequestError
from engine.images.registry.manifest import Platform

PLATFORM = Platform("linux", "amd64")


def solved(text: str, **options):
    return solve(parse(text), options.pop("args", {}), PLATFORM, **options)


def test_only_what_the_target_needs() -> None:
    text = "FROM x AS a\nFROM a AS b\nFROM y AS c\nFROM scratch AS d\nCOPY --from=b /1 /\nCOPY --from=2 /2 /\nRUN --mount=from=z,target=/z true\nFROM d AS e\n"
    assert [stage.name for stage in solved(text).stages] == ["a", "b", "c", "d", "e"]
    assert [stage.name for stage in solved(text, target="b").stages] == ["a", "b"]
    assert [stage.name for stage in solved(text, target="C").stages] == ["c"]
    assert [stage.name for stage in solved(text, target="0").stages] == ["a"]


def test_a_number_is_an_image_in_from_and_a_stage_in_copy() -> None:
    found = solved("FROM x\nFROM 0\nCOPY --from=0 /a /\n")
    assert found.stages[-1].base == "0"
    assert len(found.stages) == 2


def test_named_contexts_go_before_stages_and_images() -> None:
    contexts = {"a": "docker-image://other", "img": "folder:x"}
    found = solved("FROM x AS a\nRUN false\nFROM a\nCOPY --from=img / /\n", contexts=contexts)
    assert found.stages[0].base == Named("a", "docker-image://other")
    assert found.stages[0].instructions == ()
    assert solved("FROM img\n", contexts=contexts).stages[0].base == Named("img", "folder:x")


def test_titles_count_what_changes_files() -> None:
    (stage,) = solved("FROM x AS Build\nENV A=1\nRUN  a \\\n  b\nLABEL l=1\nWORKDIR /w\n").stages
    assert stage.titles(alone=True) == (
        "[build 1/3] FROM x AS Build",
        "",
        "[build 2/3] RUN a b",
        "",
        "[build 3/3] WORKDIR /w",
    )
    (stage,) = solved("FROM x\nRUN a\n").stages
    assert stage.titles(alone=True)[1] == "[2/2] RUN a"
    assert stage.titles(alone=False)[1] == "[stage-0 2/2] RUN a"


def test_arguments_of_from() -> None:
    text = "ARG V=1\nARG FULL=x:$V\nFROM $FULL\nFROM ${NONE:-y}-$TARGETARCH\n"
    assert [stage.base for stage in solved(text).all_stages] == ["x:1", "y-amd64"]
    assert solved(text, args={"V": "2"}).all_stages[0].base == "x:2"
    assert solved(text, args={"UNUSED": "1", "HTTP_PROXY": "p"}).unused_args == ("UNUSED",)


def test_labels_of_the_request_are_never_expanded() -> None:
    found = solved("FROM x\nRUN a\n", labels={"l": 'a"$b\\c'})
    assert found.stages[0].instructions[-1].words == ('"l"="a\\"\\$b\\\\c"',)


@pytest.mark.parametrize(
    ("text", "said", "options"),
    [
        ("RUN a\nFROM x", "Dockerfile:1: no build stage", {}),
        ("ARG a", "there is no FROM", {}),
        ("FROM $NONE", "should not be blank", {}),
        ("FROM x AS 1a", "invalid name for build stage", {}),
        ("FROM x AS a\nFROM y AS A", "a stage a already", {}),
        ("FROM x AS a", "failed to reach build target nope", {"target": "nope"}),
        ("FROM ${x", "a brace is not closed", {}),
    ],
)
def test_errors(text: str, said: str, options: dict) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        solved(text, **options)


def test_keys_differ_where_anything_differs() -> None:
    keys = {
        step_key("", "a"),
        step_key("", "b"),
        step_key("p", "a"),
        step_key("", "a", None),
        step_key("", ["a"]),
    }
    assert len(keys) == 5
    assert step_key("", {"b": 1, "a": 2}) == step_key("", {"a": 2, "b": 1})
