"""Go templates: text -> nodes. Pure.

Source: https://pkg.go.dev/text/template. A node is a text, ("print", pipeline), ("set", names, pipeline)
or (keyword, names, pipeline, body, other) of if, with and range. A pipeline is a list of commands, a
command a list of operands; an operand is one of the tuples that `operand` makes.
"""

from __future__ import annotations

import re
from typing import Any

from compose.errors import UsageError

ACTION = re.compile(r"\{\{(?:(-)(?=\s))?(.*?)(?:(?<=\s)(-))?\}\}", re.DOTALL)
WORD = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)+')|(?P<mark>:=|=|[()|,])"""
    r"""|(?P<word>(?:(?!:=)[^\s()|,="`'])+)"""
)
NUMBER = re.compile(r"[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)")
BLOCKS = ("if", "with", "range")
ESCAPES = {r"\t": "\t", r"\n": "\n", r"\\": "\\", r"\"": '"', r"\r": "\r", r"\'": "'"}
Node = Any
Pipeline = list[list[tuple[Any, ...]]]


def unescape(text: str) -> str:
    r"""Turn \t and \n as written in a shell's single quotes into what they mean."""
    return re.sub(r"\\[tnr\\\"']", lambda found: ESCAPES[found[0]], text)


def parse(text: str) -> list[Node]:
    """The nodes of a template. Raises UsageError."""
    tokens = tokenize(text)
    nodes, at = parse_block(tokens, 0, ())
    assert at == len(tokens)
    return nodes


def tokenize(text: str) -> list[tuple[str, str]]:
    """("text", ...) and ("action", ...) in turn; trim marks applied."""
    tokens: list[tuple[str, str]] = []
    position, trim = 0, False
    for found in ACTION.finditer(text):
        plain = text[position : found.start()]
        plain = plain.lstrip() if trim else plain
        tokens += [("text", plain.rstrip() if found[1] else plain), ("action", found[2].strip())]
        trim, position = bool(found[3]), found.end()
    rest = text[position:]
    if "{{" in rest:
        raise UsageError(f"template parsing error: unclosed action in {text!r}")
    tokens.append(("text", rest.lstrip() if trim else rest))
    return tokens


def parse_block(
    tokens: list[tuple[str, str]], at: int, ends: tuple[str, ...]
) -> tuple[list[Node], int]:
    """Nodes up to an action of `ends`, and the place of that action."""
    nodes: list[Node] = []
    while at < len(tokens):
        kind, text = tokens[at]
        at += 1
        if kind == "text":
            nodes += [text] if text else []
            continue
        word, _, rest = text.partition(" ")
        if word in ends:
            return nodes, at - 1
        if word in BLOCKS:
            node, at = parse_branches(tokens, at, word, rest)
            nodes.append(node)
        elif word in ("else", "end"):
            raise UsageError(f"template parsing error: unexpected {{{{{word}}}}}")
        elif not text.startswith("/*"):
            names, pipeline = parse_pipeline(text)
            nodes.append(("set", names, pipeline) if names else ("print", pipeline))
    if ends:
        raise UsageError("template parsing error: unexpected end, {{end}} is missing")
    return nodes, at


def parse_branches(
    tokens: list[tuple[str, str]], at: int, keyword: str, expression: str
) -> tuple[Node, int]:
    """A whole if, with or range; the place after its {{end}}."""
    names, pipeline = parse_pipeline(expression)
    body, at = parse_block(tokens, at, ("else", "end"))
    other: list[Node] = []
    word, _, rest = tokens[at][1].partition(" ")
    if word == "else" and rest.strip():
        again, _, condition = rest.strip().partition(" ")
        if again not in ("if", "with"):
            raise UsageError(f'template parsing error: unexpected "{again}" after else')
        node, at = parse_branches(tokens, at + 1, again, condition)
        return (keyword, names, pipeline, body, [node]), at
    if word == "else":
        other, at = parse_block(tokens, at + 1, ("end",))
    return (keyword, names, pipeline, body, other), at + 1


def parse_pipeline(text: str) -> tuple[tuple[str, ...], Pipeline]:
    """An action's variables ("$i, $v :=") and what it computes. Raises UsageError."""
    words = list(WORD.finditer(text))
    if WORD.sub("", text).strip():
        raise UsageError(f"template parsing error: cannot read {text!r}")
    plain = [found[0] for found in words]
    names: tuple[str, ...] = ()
    for mark in (":=", "="):
        if mark in plain and plain[0].startswith("$"):
            split = plain.index(mark)
            names = tuple(word for word in plain[:split] if word != ",")
            words = words[split + 1 :]
            break
    pipeline, at = read_commands(words, 0, text)
    if at != len(words):
        raise UsageError(f'template parsing error: unexpected "{words[at][0]}" in {text!r}')
    return names, pipeline


def read_commands(words: list[re.Match[str]], at: int, text: str) -> tuple[Pipeline, int]:
    """Commands joined by |, to the end or a closing parenthesis."""
    pipeline: Pipeline = [[]]
    while at < len(words) and words[at][0] != ")":
        found = words[at]
        at += 1
        if found[0] == "|":
            pipeline.append([])
        elif found[0] == "(":
            inner, at = read_commands(words, at, text)
            if at >= len(words):
                raise UsageError(f"template parsing error: unclosed left paren in {text!r}")
            at += 1
            fields: tuple[str, ...] = ()
            if at < len(words) and words[at].start() == words[at - 1].end():
                fields = field_names(words[at][0])
                at += 1
            pipeline[-1].append(("inner", inner, fields))
        else:
            pipeline[-1].append(operand(found))
    if not all(pipeline):
        raise UsageError("template parsing error: a value or a function is missing")
    return pipeline, at


def operand(found: re.Match[str]) -> tuple[Any, ...]:
    """A constant, a field of ., a variable or a function's name."""
    word = found[0]
    if found["text"]:
        inner = word[1:-1]
        return ("constant", inner if word[0] == "`" else unescape(inner))
    if word in ("true", "false"):
        return ("constant", word == "true")
    if word == "nil":
        return ("constant", None)
    if NUMBER.fullmatch(word):
        return ("constant", float(word) if "." in word else int(word, 0))
    if word.startswith("."):
        return ("field", field_names(word))
    if word.startswith("$"):
        name, _, fields = word.partition(".")
        return ("variable", name, field_names(f".{fields}"))
    return ("function", word)


def field_names(word: str) -> tuple[str, ...]:
    """ ".A.B" -> ("A", "B")."""
    return tuple(filter(None, word.split(".")))


def fields_of(nodes: list[Node]) -> list[str]:
    """The last names of the fields printed, in order: what a table's headings are made of."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            continue
        for command in node[1] if node[0] == "print" else ():
            found += [one[1][-1] for one in command if one[0] == "field" and one[1]]
        if node[0] in BLOCKS:
            found += fields_of(node[3])
    return found
