"""The Dockerfile parser: instructions, flags, directives, here-documents, and errors with their line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.build.dockerfile import INSTRUCTIONS, parse, parse_trigger
from engine.errors import EngineError, InvalidRequestError, NotSupportedError


def refusal(function, *arguments) -> str:
    """The words of a refusal, "" if there is none."""
    try:
        function(*arguments)
    except EngineError as error:
        return error.message
    return ""


def only(text: str):
    found = parse(f"FROM x\n{text}").instructions
    assert len(found) == 2
    return found[1]


@pytest.mark.parametrize(
    ("text", "words", "exec_form"),
    [
        ("RUN echo a  b", ("echo a  b",), False),
        ('RUN ["echo", "a b"]', ("echo", "a b"), True),
        ("RUN [ -e /x ] && true", ("[ -e /x ] && true",), False),
        ("cmd []", (), True),
        ("COPY a  b c/", ("a", "b", "c/"), False),
        ('COPY ["a b", "c/"]', ("a b", "c/"), True),
        ("ENV A=1 B='2 3'", ("A=1", "B='2 3'"), False),
        ("ENV A 1 2 3", ("A=1 2 3",), False),
        ("LABEL a=b\\ c d=e", ("a=b\\ c", "d=e"), False),
        ("ARG A B=2", ("A", "B=2"), False),
        ("EXPOSE 80 81/udp", ("80", "81/udp"), False),
        ("VOLUME /a /b", ("/a", "/b"), False),
        ('VOLUME ["/a b"]', ("/a b",), True),
        ("HEALTHCHECK CMD a b", ("CMD-SHELL", "a b"), False),
        ('HEALTHCHECK CMD ["a"]', ("CMD", "a"), True),
        ("HEALTHCHECK NONE", ("NONE",), True),
        ("WORKDIR /a b", ("/a b",), False),
    ],
)
def test_each_instruction_has_its_own_grammar(
    text: str, words: tuple[str, ...], exec_form: bool
) -> None:
    found = only(text)
    assert found.words == words
    assert found.exec_form is exec_form


def test_flags_come_first_and_keep_their_quotes() -> None:
    found = only(
        'RUN --mount=type=bind,target="/a b" --mount=type=tmpfs,target=/t --network=none echo --not=flag'
    )
    assert found.all_flags("mount") == ('type=bind,target="/a b"', "type=tmpfs,target=/t")
    assert found.flag("network") == "none"
    assert found.words == ("echo --not=flag",)


def test_continuations_comments_and_lines() -> None:
    found = parse("# first\n\nFROM x\nRUN a \\\n  # inside\n\n  b\\\nc\nCMD d\n").instructions
    assert [one.line for one in found] == [3, 4, 9]
    assert [one.last for one in found] == [3, 8, 9]
    assert found[1].words == ("a   bc",)


def test_directives() -> None:
    found = parse(
        "# syntax=docker/dockerfile:1.7-labs\n# escape=`\n# check=skip=all\nFROM x\nRUN a `\nb\\\nCMD c"
    )
    assert found.escape == "`"
    assert found.check == "skip=all"
    assert [one.name for one in found.instructions] == ["FROM", "RUN", "CMD"]
    assert parse("# a comment\n# escape=`\nFROM x").escape == "\\"  # too late: it is a comment


@pytest.mark.parametrize(
    "syntax",
    [
        "docker/dockerfile",
        "docker.io/docker/dockerfile:1",
        "docker/dockerfile-upstream:master",
        "mirror:5000/docker/dockerfile:1@sha256:0",
    ],
)
def test_docker_s_own_frontends_are_built_in(syntax: str) -> None:
    assert parse(f"# syntax={syntax}\nFROM x")


def test_foreign_frontends_are_refused_by_name() -> None:
    with pytest.raises(NotSupportedError, match="Dockerfile:1.*tonistiigi/xx"):
        parse("# syntax=tonistiigi/xx\nFROM x")


def test_here_documents() -> None:
    found = parse("FROM x\nRUN <<A cat <<-'B'\none $x\nA\n\ttwo\n\tB\nCMD c\n").instructions
    first, second = found[1].heredocs
    assert (first.name, first.text, first.expand) == ("A", "one $x\n", True)
    assert (second.name, second.text, second.expand) == ("B", "two\n", False)
    assert found[2].name == "CMD"
    assert not only("RUN echo '<<EOF'").heredocs
    assert not only('RUN ["<<EOF"]').heredocs


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("FROM x\nRUM a", 2, "unknown instruction: RUM, did you mean RUN"),
        ("FROM x\n\nCOPY a", 3, "needs a source and a destination"),
        ("FROM x\nRUN --wat=1 a", 2, "unknown flag --wat"),
        ("FROM x\nCOPY --from=a --from=b c d", 2, "--from is there twice"),
        ("FROM x\nRUN", 2, "at least one argument"),
        ("FROM x y", 1, "FROM takes one image"),
        ("FROM x\nENV A", 2, "no value"),
        ("FROM x\nENV A=1 B", 2, '"=" is missing'),
        ("FROM x\nSHELL sh", 2, "JSON array"),
        ("FROM x\nCMD [1]", 2, "only strings"),
        ("FROM x\nHEALTHCHECK WAT x", 2, "unknown type WAT"),
        ("FROM x\nRUN <<EOF\nx", 2, "has no end"),
        ("FROM x\nONBUILD FROM y", 2, "cannot be an ONBUILD trigger"),
        ("FROM x\nONBUILD RUN <<EOF\nEOF", 2, "no here-document"),
        ("# escape=x\nFROM x", 1, "escape character"),
        ("# escape=`\n# escape=`\nFROM x", 2, "twice"),
    ],
)
def test_errors_say_line_and_what(text: str, line: int, said: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        parse(text)
    assert raised.value.message.startswith(f"Dockerfile:{line}: ")
    assert said in raised.value.message


def test_an_empty_file_is_no_dockerfile() -> None:
    with pytest.raises(InvalidRequestError, match="no instructions"):
        parse("# nothing\n\n")


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    assert [one.rest for one in parse("\ufeffFROM x\r\nRUN a\r\n").instructions] == ["x", "a"]


@given(
    st.text(alphabet=st.sampled_from(list("FROM RUNCOPY<>EOF=-\\`#\"'[]${}\n\t az")), max_size=200)
)
def test_any_text_parses_or_is_refused_in_words(text: str) -> None:
    error = refusal(parse, text)
    assert "\n" not in error
    if not error:
        found = parse(text)
        assert all(one.name in INSTRUCTIONS for one in found.instructions)
        lines = [one.line for one in found.instructions]
        assert lines == sorted(lines)
        assert all(one.line <= one.last for one in found.instructions)


@given(
    st.sampled_from(sorted(INSTRUCTIONS - {"FROM", "ONBUILD", "MAINTAINER"})), st.text(max_size=40)
)
def test_triggers_parse_as_the_instruction_would(name: str, rest: str) -> None:
    error = refusal(parse_trigger, f"{name} {rest}", 3)
    assert "Dockerfile:3" in error or parse_trigger(f"{name} {rest}", 3).name == name


words = st.lists(
    st.text(alphabet="abc.-_/", min_size=1, max_size=6).filter(lambda w: not w.startswith("-")),
    min_size=1,
    max_size=4,
)


@given(words, words)
def test_what_is_written_is_read(sources: list[str], commands: list[str]) -> None:
    copy = only(f"COPY {' '.join(sources)} /to")
    assert copy.words == (*sources, "/to")
    run = only("RUN " + " \\\n ".join(commands))
    assert run.words[0].split() == commands
