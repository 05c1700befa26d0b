"""The Dockerfile language: text in, instructions out. Pure: nothing is expanded or looked up here.

Rules: every error says line, what and what to do. Sources: the Dockerfile reference
(https://docs.docker.com/reference/dockerfile/), parser directives, here-documents.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.build.words import assignments, json_words, split_raw, take_flags
from engine.errors import InvalidRequestError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTRUCTIONS = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
#: Flags by instruction; others have none.
FLAGS = {
    "ADD": {"chown", "chmod", "link", "checksum", "exclude", "keep-git-dir", "unpack"},
    "COPY": {"from", "chown", "chmod", "link", "exclude", "parents"},
    "FROM": {"platform"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
    "RUN": {"mount", "network", "security"},
}
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = ("syntax", "escape", "check")
_HEREDOC = re.compile(r"""\d*<<(-?)(['"]?)([A-Za-z_][A-Za-z0-9_.-]*)(['"]?)""")
_JSON_OR_SHELL = ("RUN", "CMD", "ENTRYPOINT", "SHELL")
_JSON_OR_WORDS = ("ADD", "COPY", "VOLUME")
#: A Dockerfile that is longer is refused.
SIZE_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: `content` as written; `chomp` for <<-, `expand` unless the name is quoted."""

    name: str
    content: str
    expand: bool
    chomp: bool

    @property
    def text(self) -> str:
        """The content with leading tabs stripped if that was asked for."""
        return re.sub(r"^\t+", "", self.content, flags=re.MULTILINE) if self.chomp else self.content


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, from `line` to `last`.

    `words` are the arguments, unexpanded; `exec_form` says they were JSON.
    """

    line: int
    name: str
    source: str
    rest: str
    words: tuple[str, ...] = ()
    exec_form: bool = False
    flags: tuple[tuple[str, str], ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    last: int = 0

    def flag(self, name: str) -> str | None:
        """A flag's last value, None if it is not there."""
        return dict(self.flags).get(name)

    def all_flags(self, name: str) -> tuple[str, ...]:
        """Every value of a flag that may be repeated."""
        return tuple(value for key, value in self.flags if key == name)


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A parsed file, its escape character, and what its `check` directive says."""

    instructions: tuple[Instruction, ...]
    escape: str = "\\"
    check: str = ""
    lines: tuple[str, ...] = ()


def fault(line: int, what: str) -> InvalidRequestError:
    """The error for a line of the Dockerfile."""
    return InvalidRequestError(f"Dockerfile:{line}: {what}")


def parse(text: str) -> Dockerfile:
    """The instructions of a Dockerfile. Raises InvalidRequestError."""
    if len(text) > SIZE_LIMIT:
        raise InvalidRequestError(f"the Dockerfile is larger than {SIZE_LIMIT >> 20} MiB")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    directives = _directives(lines)
    escape = directives.get("escape", "\\")
    check_syntax(directives.get("syntax", ""), "Dockerfile:1")
    found = tuple(_instructions(lines, escape))
    if not found:
        raise InvalidRequestError("the Dockerfile has no instructions: begin with FROM image")
    return Dockerfile(found, escape, directives.get("check", ""), tuple(lines))


def check_syntax(syntax: str, where: str) -> None:
    """Whether a frontend is Docker's own. Raises NotSupportedError for a foreign one."""
    name = syntax.partition("@")[0]
    name = name[: name.rindex(":")] if ":" in name.rpartition("/")[2] else name
    if name and not re.search(r"(^|/)docker/dockerfile(-upstream)?$", name):
        raise NotSupportedError(
            f"{where}: the frontend {syntax} is not supported: only docker/dockerfile is built in"
        )


def parse_trigger(text: str, line: int, escape: str = "\\") -> Instruction:
    """The instruction inside ONBUILD. Raises InvalidRequestError."""
    found = _instruction(text, line, escape, ())
    if found.name in ("ONBUILD", "FROM", "MAINTAINER"):
        raise fault(line, f"{found.name} cannot be an ONBUILD trigger: take another instruction")
    if _heredoc_heads(found, escape):
        raise fault(line, "ONBUILD takes no here-document: put the content into a file")
    return found


def _directives(lines: list[str]) -> dict[str, str]:
    """The parser directives; they end at the first line that is none."""
    seen: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        found = _DIRECTIVE.fullmatch(line.strip())
        if not found or found[1].lower() not in _DIRECTIVES:
            break
        name = found[1].lower()
        if name in seen:
            raise fault(number, f"the parser directive {name} is there twice: remove one")
        seen[name] = found[2]
        if name == "escape" and found[2] not in ("\\", "`"):
            raise fault(number, f"the escape character cannot be {found[2]!r}: take \\ or `")
    return seen


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    position = 0
    goes_on = re.compile(rf"(^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$")
    while position < len(lines):
        start = position
        text = lines[position].lstrip()
        position += 1
        if not text or text.startswith("#"):
            continue
        while (found := goes_on.search(text)) is not None:
            text = text[: found.end(1)]
            while position < len(lines) and _is_idle(lines[position]):
                position += 1
            if position == len(lines):
                break
            text += lines[position]
            position += 1
        if not text.strip():
            continue  # a continuation of nothing
        instruction = _instruction(text.strip(), start + 1, escape, ())
        heads = _heredoc_heads(instruction, escape)
        if heads:
            documents, position = _heredocs(lines, position, heads, start + 1)
            instruction = _instruction(text.strip(), start + 1, escape, documents)
        yield replace(instruction, last=position)


def _is_idle(line: str) -> bool:
    text = line.strip()
    return not text or text.startswith("#")


def _heredoc_heads(instruction: Instruction, escape: str) -> list[re.Match[str]]:
    """The `<<NAME` words of the instructions that may have them."""
    if instruction.name not in ("RUN", "COPY", "ADD") or instruction.exec_form:
        return []
    matches = (_HEREDOC.fullmatch(word) for word in split_raw(instruction.rest, escape))
    return [found for found in matches if found and found[2] == found[4]]


def _heredocs(
    lines: list[str], position: int, heads: list[re.Match[str]], line: int
) -> tuple[tuple[Heredoc, ...], int]:
    documents = []
    for head in heads:
        chomp, name, content = bool(head[1]), head[3], []
        while True:
            if position == len(lines):
                raise fault(line, f"the here-document {name} has no end: add a line {name}")
            current = lines[position]
            position += 1
            if (current.lstrip("\t") if chomp else current) == name:
                break
            content.append(f"{current}\n")
        documents.append(Heredoc(name, "".join(content), not head[2], chomp))
    return tuple(documents), position


def _instruction(text: str, line: int, escape: str, heredocs: tuple[Heredoc, ...]) -> Instruction:
    name, *tail = text.split(None, 1)
    name = name.upper()
    if name not in INSTRUCTIONS:
        near = difflib.get_close_matches(name, sorted(INSTRUCTIONS), n=1, cutoff=0.5)
        known = f"did you mean {near[0]}?" if near else "see the Dockerfile reference"
        raise fault(line, f"unknown instruction: {name}, {known}")
    flags, rest = take_flags(tail[0].strip() if tail else "", escape)
    if not rest and not (name == "ONBUILD" and flags):
        raise fault(line, f"{name} needs at least one argument")
    _check_flags(name, flags, line)
    try:
        words, exec_form = _words(name, rest, escape)
    except ValueError as error:
        raise fault(line, f"{name}: {error}") from error
    _check_words(name, words, exec_form=exec_form, line=line)
    found = Instruction(line, name, text, rest, words, exec_form, flags, heredocs)
    if name == "ONBUILD":
        parse_trigger(rest, line, escape)
    return found


def _check_flags(name: str, flags: tuple[tuple[str, str], ...], line: int) -> None:
    known = FLAGS.get(name, set())
    repeated = {"mount", "exclude"}
    for number, (flag, _) in enumerate(flags):
        if flag not in known:
            can = f"it has --{', --'.join(sorted(known))}" if known else "it has no flags"
            raise fault(line, f"unknown flag --{flag} of {name}: {can}")
        if flag not in repeated and flag in dict(flags[:number]):
            raise fault(line, f"the flag --{flag} is there twice: remove one")


def _words(name: str, rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    """The arguments by the instruction's own grammar. Raises ValueError."""
    if name in _JSON_OR_SHELL or name in _JSON_OR_WORDS:
        found = json_words(rest)
        if found is not None:
            return found, True
        return ((rest,) if name in _JSON_OR_SHELL else tuple(rest.split())), False
    if name in ("ENV", "LABEL"):
        return assignments(rest, escape, legacy=True), False
    if name == "ARG":
        words = split_raw(rest, escape)
        if any(word.startswith("=") for word in words):
            raise ValueError("a name is missing before =")
        return tuple(words), False
    if name == "HEALTHCHECK":
        return _health_words(rest)
    if name in ("FROM", "EXPOSE"):
        return tuple(rest.split()), False
    return (rest,), False


def _health_words(rest: str) -> tuple[tuple[str, ...], bool]:
    kind, *tail = rest.split(None, 1)
    kind = kind.upper()
    if kind == "NONE":
        if tail:
            raise ValueError("NONE takes no arguments")
        return ("NONE",), True
    if kind != "CMD":
        raise ValueError(f"unknown type {kind}: write CMD command or NONE")
    if not tail:
        raise ValueError("the command is missing after CMD")
    found = json_words(tail[0])
    if found == ():
        raise ValueError("the command is missing after CMD")
    return ("CMD", *found) if found is not None else ("CMD-SHELL", tail[0]), found is not None


def _check_words(name: str, words: tuple[str, ...], *, exec_form: bool, line: int) -> None:
    if name in ("ADD", "COPY") and len(words) < 2:
        raise fault(line, f"{name} needs a source and a destination")
    if name == "FROM" and not (len(words) == 1 or (len(words) == 3 and words[1].upper() == "AS")):
        raise fault(line, "FROM takes one image, then AS name if the stage has one")
    if name == "SHELL" and (not exec_form or not words):
        raise fault(line, 'SHELL takes a JSON array, as in ["/bin/bash", "-c"]')
    if name in ("RUN", "VOLUME") and exec_form and not words:
        raise fault(line, f"{name} needs at least one argument")
