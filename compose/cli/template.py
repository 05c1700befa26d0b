"""Go templates as --format uses them: nodes and a value -> text. Pure.

Source: https://pkg.go.dev/text/template, and docker's functions. What is not known is an error that
says so; a field that a row cannot have is one too, for a typing mistake must not print nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compose.cli.template_functions import FUNCTIONS, go_json, shown
from compose.cli.template_parse import fields_of, parse, unescape
from compose.errors import UsageError

__all__ = ["Row", "Template", "go_json", "unescape"]
Scope = dict[str, Any]


class Row(dict[str, Any]):
    """A value with fields, and functions of one argument beside them: .Label "key"."""

    def __init__(self, fields: Mapping[str, Any], **methods: Callable[[str], Any]) -> None:
        super().__init__(fields)
        self.methods = methods


class Template:
    """A compiled template. `strict`: a field that is not there is an error, else "<no value>"."""

    def __init__(self, text: str, *, strict: bool = True) -> None:
        self._nodes = parse(text)
        self._strict = strict

    def render(self, value: Any) -> str:
        """The text for one value. Raises UsageError for a field that is not there."""
        return self._render(self._nodes, value, {"$": value})

    @property
    def fields(self) -> list[str]:
        """Names of the fields printed, in order."""
        return fields_of(self._nodes)

    @property
    def first_fields(self) -> list[str]:
        """First names of the fields printed outside of blocks: those of the value itself."""
        return [
            one[1][0]
            for node in self._nodes
            if not isinstance(node, str) and node[0] == "print"
            for command in node[1]
            for one in command
            if one[0] == "field" and one[1]
        ]

    def _render(self, nodes: list[Any], dot: Any, scope: Scope) -> str:
        out: list[str] = []
        for node in nodes:
            if isinstance(node, str):
                out.append(node)
            elif node[0] == "print":
                out.append(shown(self._pipeline(node[1], dot, scope)))
            elif node[0] == "set":
                scope[node[1][0]] = self._pipeline(node[2], dot, scope)
            else:
                out.append(self._branch(node, dot, scope))
        return "".join(out)

    def _branch(self, node: Any, dot: Any, scope: Scope) -> str:
        keyword, names, pipeline, body, other = node
        result = self._pipeline(pipeline, dot, scope)
        if keyword == "range":
            return "".join(
                self._render(body, item, {**scope, **dict(zip(names[-1:], [item], strict=False)),
                                          **({names[0]: key} if len(names) > 1 else {})})
                for key, item in items_of(result)
            ) or ("" if result else self._render(other, dot, scope))  # fmt: skip
        inner = {**scope, names[0]: result} if names else scope
        if not result:
            return self._render(other, dot, inner)
        return self._render(body, result if keyword == "with" else dot, inner)

    def _pipeline(self, pipeline: list[list[tuple[Any, ...]]], dot: Any, scope: Scope) -> Any:
        """Commands in turn, each given the result of the one before as its last argument."""
        given: list[Any] = []
        for command in pipeline:
            first, *rest = command
            if first[0] == "function":
                function = FUNCTIONS.get(first[1])
                if function is None:
                    raise UsageError(f'template parsing error: function "{first[1]}" not defined')
            else:
                function = self._operand(first, dot, scope)
            values = [*(self._operand(one, dot, scope) for one in rest), *given]
            given = [call(first, function, values)]
        return given[0]

    def _operand(self, one: tuple[Any, ...], dot: Any, scope: Scope) -> Any:
        match one[0]:
            case "constant":
                return one[1]
            case "field":
                return self._fields(dot, one[1])
            case "variable":
                if one[1] not in scope:
                    raise UsageError(f'template parsing error: undefined variable "{one[1]}"')
                return self._fields(scope[one[1]], one[2])
            case "inner":
                return self._fields(self._pipeline(one[1], dot, scope), one[2])
            case _:
                return self._pipeline([[one]], dot, scope)

    def _fields(self, value: Any, names: Iterable[str]) -> Any:
        for name in names:
            if isinstance(value, Row) and name in value.methods:
                value = value.methods[name]
            elif isinstance(value, Mapping) and name in value:
                value = value[name]
            elif self._strict:
                known = ", ".join(sorted(map(str, value))) if isinstance(value, Mapping) else "none"
                raise UsageError(f'template: there is no field "{name}": those there are: {known}')
            else:
                return None
        return value


def items_of(result: Any) -> list[tuple[Any, Any]]:
    """What range goes through: (index, item), or (key, value) by key."""
    if isinstance(result, Mapping):
        return [(key, result[key]) for key in sorted(result)]
    if isinstance(result, int):
        return [(number, number) for number in range(result)]
    return list(enumerate(result or ()))


def call(first: tuple[Any, ...], function: Any, values: list[Any]) -> Any:
    """A function's result, or the one operand itself. Raises UsageError."""
    if not callable(function):
        if values:
            raise UsageError(f"template: {shown(function)} is no function and takes no argument")
        return function
    try:
        return function(*values)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise UsageError(f"template: {first[-1]}: {error}") from None
