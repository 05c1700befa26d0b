"""Go templates as far as --format uses them: fields, a few functions, pipes, if, range. Pure.

Source: https://pkg.go.dev/text/template, and docker's functions (json, join, upper, lower, title,
pad, truncate, split, table). What is not known is an error that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compose.errors import UsageError

ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)
WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)|\||[^\s()|]+')
ESCAPES = {r"\t": "\t", r"\n": "\n", r"\\": "\\", r"\"": '"'}


class Template:
    """A compiled template: `render` one value at a time."""

    def __init__(self, text: str) -> None:
        self._text = text
        tokens = tokenize(text)
        self._nodes, rest = parse_block(tokens, 0, ())
        assert rest == len(tokens)

    def render(self, value: Any) -> str:
        """The text for one value. Raises UsageError for a field that is not there."""
        return render(self._nodes, value)

    @property
    def fields(self) -> list[str]:
        """Names of the fields asked for, in order."""
        return re.findall(r"\.([A-Za-z]\w*)", " ".join(m[2] for m in ACTION.finditer(self._text)))


def unescape(text: str) -> str:
    r"""Turn \t and \n as written in a shell's single quotes into what they mean."""
    return re.sub(r'\\[tn\\"]', lambda found: ESCAPES[found[0]], text)


def tokenize(text: str) -> list[tuple[str, str]]:
    """("text", ...) and ("action", ...) in turn; trim marks applied."""
    tokens: list[tuple[str, str]] = []
    position, trim = 0, False
    for found in ACTION.finditer(text):
        literal = text[position : found.start()]
        literal = literal.lstrip() if trim else literal
        tokens.append(("text", literal.rstrip() if found[1] else literal))
        tokens.append(("action", found[2]))
        trim, position = bool(found[3]), found.end()
    rest = text[position:]
    if "{{" in rest:
        raise UsageError(f"template parsing error: unclosed action in {text!r}")
    tokens.append(("text", rest.lstrip() if trim else rest))
    return tokens


def parse_block(
    tokens: list[tuple[str, str]], at: int, ends: tuple[str, ...]
) -> tuple[list[Any], int]:
    """Nodes up to an action of `ends`; returns the place after it, or of it for else."""
    nodes: list[Any] = []
    while at < len(tokens):
        kind, text = tokens[at]
        at += 1
        if kind == "text":
            if text:
                nodes.append(text)
            continue
        word = text.split(None, 1)[0] if text else ""
        if word in ends:
            return nodes, at - 1
        if word in ("if", "range", "with"):
            body, at = parse_block(tokens, at, ("else", "end"))
            other: list[Any] = []
            if tokens[at][1] == "else":
                other, at = parse_block(tokens, at + 1, ("end",))
            nodes.append((word, text.split(None, 1)[1] if " " in text else "", body, other))
            at += 1
        elif word in ("else", "end"):
            raise UsageError(f"template parsing error: unexpected {{{{{word}}}}}")
        elif not text.startswith("/*"):
            nodes.append(("print", text))
    if ends:
        raise UsageError("template parsing error: unexpected end, {{end}} is missing")
    return nodes, at


def render(nodes: Sequence[Any], value: Any) -> str:
    """The text of nodes for a value."""
    out: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            out.append(node)
            continue
        kind, expression, *branches = node
        result = evaluate(expression, value)
        if kind == "print":
            out.append(shown(result))
            continue
        body, other = branches
        if kind == "range":
            items = list(result.values()) if isinstance(result, Mapping) else list(result or ())
            out += [render(body, item) for item in items] or [render(other, value)]
        elif result:
            out.append(render(body, result if kind == "with" else value))
        else:
            out.append(render(other, value))
    return "".join(out)


def shown(value: Any) -> str:
    """A value as Go's print shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<no value>"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{shown(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(shown, value)) + "]"
    return str(value)


def evaluate(expression: str, value: Any) -> Any:
    """A pipeline: operands, function calls, pipes, parentheses."""
    words = WORD.findall(expression)
    result, at = pipeline(words, 0, value)
    if at != len(words):
        raise UsageError(f'template parsing error: unexpected "{words[at]}" in {expression!r}')
    return result


def pipeline(words: list[str], at: int, value: Any) -> tuple[Any, int]:
    """Commands joined by |, each given the result of the one before as its last argument."""
    result: Any = None
    piped = False
    while True:
        operands: list[Any] = []
        name = ""
        while at < len(words) and words[at] not in ("|", ")"):
            word = words[at]
            at += 1
            if word == "(":
                operand, at = pipeline(words, at, value)
                at += 1
            elif not operands and not name and word in FUNCTIONS:
                name = word
                continue
            else:
                operand = literal(word, value)
            operands.append(operand)
        if piped:
            operands.append(result)
        result = call(name, operands)
        if at >= len(words) or words[at] == ")":
            return result, at
        at, piped = at + 1, True


def call(name: str, operands: list[Any]) -> Any:
    """A function's result, or the one operand itself. Raises UsageError."""
    if not name:
        if len(operands) != 1:
            raise UsageError("template parsing error: a value or a function is missing")
        return operands[0]
    try:
        return FUNCTIONS[name](*operands)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise UsageError(f"template: {name}: {error}") from None


def literal(word: str, value: Any) -> Any:
    """A string, a number, true, false, . or .Field.Field."""
    if word[0] in '"`':
        return unescape(word[1:-1]) if word[0] == '"' else word[1:-1]
    if word in ("true", "false"):
        return word == "true"
    if re.fullmatch(r"-?\d+", word):
        return int(word)
    if not word.startswith((".", "$.")):
        raise UsageError(f'template parsing error: function "{word}" not defined')
    for name in filter(None, word.lstrip("$").split(".")):
        if not isinstance(value, Mapping) or name not in value:
            known = ", ".join(sorted(map(str, value))) if isinstance(value, Mapping) else ""
            raise UsageError(f'template: there is no field "{name}": those there are: {known}')
        value = value[name]
    return value


def go_json(value: Any) -> str:
    """JSON as Go writes it: no blanks, <, > and & escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pad(text: str, left: int, right: int) -> str:
    """Blanks around a text, none around an empty one."""
    return " " * left + text + " " * right if text else text


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": go_json,
    "upper": lambda text: str(text).upper(),
    "lower": lambda text: str(text).lower(),
    "title": lambda text: str(text).title(),
    "join": lambda items, separator: separator.join(map(str, items)),
    "split": lambda text, separator: text.split(separator),
    "truncate": lambda text, length: str(text)[:length],
    "pad": pad,
    "len": len,
    "index": lambda items, *keys: items[keys[0]] if len(keys) == 1 else items[keys[0]][keys[1]],
    "print": lambda *items: "".join(map(shown, items)),
    "println": lambda *items: " ".join(map(shown, items)) + "\n",
    "printf": lambda text, *items: text.replace("%v", "%s").replace("%q", '"%s"') % items,
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda first, second: first != second,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "lt": lambda first, second: first < second,
    "gt": lambda first, second: first > second,
}
