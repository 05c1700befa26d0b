"""Variables in a Dockerfile: $x, ${x}, ${x:-word} and their kin; which ARG is in scope. Pure.

Source: https://docs.docker.com/reference/dockerfile/, "Environment replacement" and "ARG".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

#: A name to its value, None if it is not set.
Lookup = Callable[[str], str | None]
#: Build arguments that need no ARG and do not change what a step's cache key is.
PROXY_ARGS = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_OPERATOR = re.compile(r":?[-+?]|##?|%%?|//?")
#: Nested ${a:-${b:-...}} deeper than this is an error.
DEPTH_LIMIT = 64


class ExpansionError(ValueError):
    """The text cannot be expanded; the message says why."""


def expand(word: str, lookup: Lookup, escape: str = "\\") -> str:
    """One word with its variables replaced, quotes and escapes taken off. Raises ExpansionError."""
    return _Expansion(word, lookup, escape).run()


def expand_text(text: str, lookup: Lookup, escape: str = "\\") -> str:
    """A here-document: variables replaced, quotes kept. Raises ExpansionError."""
    return _Expansion(text, lookup, escape, quotes=False).run()


def expand_words(words: tuple[str, ...], lookup: Lookup, escape: str = "\\") -> tuple[str, ...]:
    """Words that may become several: each is expanded, then split at white space (EXPOSE)."""
    return tuple(part for word in words for part in expand(word, lookup, escape).split())


class _Expansion:
    """One pass over one word."""

    def __init__(
        self,
        text: str,
        lookup: Lookup,
        escape: str,
        *,
        quotes: bool = True,
        pattern: bool = False,
        depth: int = 0,
    ) -> None:
        if depth > DEPTH_LIMIT:
            raise ExpansionError(f"${{...}} is nested deeper than {DEPTH_LIMIT}")
        self.text = text
        self.position = 0
        self.lookup = lookup
        self.escape = escape
        self.quotes = quotes
        self.pattern = pattern  # escapes stay, as backslashes, for whoever reads the pattern
        self.depth = depth

    def run(self) -> str:
        """The expanded text."""
        out: list[str] = []
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == "'" and self.quotes:
                out.append(self._single())
            elif char == '"' and self.quotes:
                out.append(self._double())
            elif char == "$":
                out.append(self._dollar())
            elif char == self.escape:
                out.append(self._escaped("" if self.quotes else "$" + self.escape))
            else:
                out.append(char)
                self.position += 1
        return "".join(out)

    def _single(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise ExpansionError(f"a single quote is not closed in {self.text}")
        inner = self.text[self.position + 1 : end]
        self.position = end + 1
        return inner

    def _double(self) -> str:
        out: list[str] = []
        self.position += 1
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == '"':
                self.position += 1
                return "".join(out)
            if char == "$":
                out.append(self._dollar())
            elif char == self.escape:
                out.append(self._escaped('"$' + self.escape))
            else:
                out.append(char)
                self.position += 1
        raise ExpansionError(f"a double quote is not closed in {self.text}")

    def _escaped(self, only: str) -> str:
        """What the escape character protects; before others than `only` (if given) it stays."""
        self.position += 1
        following = self.text[self.position : self.position + 1]
        if not following:
            return self.escape
        self.position += 1
        if self.pattern:
            return f"\\{following}"
        return following if not only or following in only else self.escape + following

    def _dollar(self) -> str:
        self.position += 1
        if self.text.startswith("{", self.position):
            return self._braced()
        found = _NAME.match(self.text, self.position)
        if not found:
            return "$"
        self.position = found.end()
        return self.lookup(found[0]) or ""

    def _braced(self) -> str:
        start = self.position - 1
        end = self._closing(self.position)
        inner = self.text[self.position + 1 : end]
        self.position = end + 1
        found = _NAME.match(inner)
        if not found:
            raise ExpansionError(f"bad substitution {self.text[start : end + 1]}: write ${{NAME}}")
        value = self.lookup(found[0])
        rest = inner[found.end() :]
        if not rest:
            return value or ""
        operator = _OPERATOR.match(rest)
        if not operator:
            raise ExpansionError(
                f"unsupported modifier in {self.text[start : end + 1]}: "
                "there are - + ? (also with :), # ## % %% / //"
            )
        return self._modified(found[0], value, operator[0], rest[operator.end() :])

    def _closing(self, position: int) -> int:
        """The index of the brace that closes the one at `position`."""
        depth, quote, index = 0, "", position
        while index < len(self.text):
            char = self.text[index]
            if char == self.escape and quote != "'":
                index += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"" and self.quotes:
                quote = char
            elif char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
                if not depth:
                    return index
            index += 1
        raise ExpansionError(f"a brace is not closed in {self.text}")

    def _modified(self, name: str, value: str | None, operator: str, raw: str) -> str:
        kind = operator[-1]
        if kind in "-+?":
            present = bool(value) if operator[0] == ":" else value is not None
            if kind == "-":
                return (value or "") if present else self._inner(raw)
            if kind == "+":
                return self._inner(raw) if present else ""
            if not present:
                raise ExpansionError(f"{name}: {self._inner(raw) or 'is required and not set'}")
            return value or ""
        if kind == "/":
            return self._replaced(value or "", raw, every=operator == "//")
        pattern = glob_to_regex(
            self._inner(raw, pattern=True), lazy=len(operator) == 1 and kind == "#"
        )
        return _trimmed(value or "", pattern, operator)

    def _replaced(self, value: str, raw: str, *, every: bool) -> str:
        pattern, replacement = self._halves(raw)
        regex = glob_to_regex(self._inner(pattern, pattern=True), lazy=False)
        put = self._inner(replacement)
        return re.sub(regex, lambda _: put, value, count=0 if every else 1) if regex else value

    def _halves(self, raw: str) -> tuple[str, str]:
        """The pattern and the replacement: split at the first slash that is not escaped."""
        position = 0
        while position < len(raw) and raw[position] != "/":
            position += 2 if raw[position] == self.escape else 1
        return raw[:position], raw[position + 1 :]

    def _inner(self, raw: str, *, pattern: bool = False) -> str:
        inner = _Expansion(
            raw, self.lookup, self.escape, quotes=self.quotes, pattern=pattern, depth=self.depth + 1
        )
        return inner.run()


def glob_to_regex(pattern: str, *, lazy: bool) -> str:
    """A shell pattern of * and ? as a regular expression; a backslash takes the meaning off."""
    out, position = [], 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\" and position + 1 < len(pattern):
            position += 1
            out.append(re.escape(pattern[position]))
        elif char == "*":
            out.append(".*?" if lazy else ".*")
        else:
            out.append("." if char == "?" else re.escape(char))
        position += 1
    return "".join(out)


def _trimmed(value: str, regex: str, operator: str) -> str:
    """`value` without the shortest (# %) or longest (## %%) match at its start or end."""
    if operator[0] == "#":
        found = re.match(regex, value, re.DOTALL)
        return value[found.end() :] if found else value
    starts = range(len(value), -1, -1) if operator == "%" else range(len(value) + 1)
    for start in starts:
        if re.fullmatch(regex, value[start:], re.DOTALL):
            return value[:start]
    return value


@dataclass(frozen=True, slots=True)
class Arguments:
    """The ARGs of one stage. `given` are the request's; `globals` were declared before FROM."""

    given: Mapping[str, str | None] = field(default_factory=dict)
    globals: Mapping[str, str | None] = field(default_factory=dict)
    declared: Mapping[str, str | None] = field(default_factory=dict)

    def declare(self, name: str, default: str | None) -> Arguments:
        """After `ARG name[=default]`: the request's value, the default, the global's, or what it was."""
        value = self.given.get(name)
        if value is None:
            value = default if default is not None else self.globals.get(name)
        if value is None:
            value = self.declared.get(name)  # of the stage it stands on, or an earlier line's
        return replace(self, declared={**self.declared, name: value})

    def values(self) -> dict[str, str]:
        """The declared ones that have a value: what a RUN sees and its cache key holds."""
        return {name: value for name, value in self.declared.items() if value is not None}

    def proxies(self) -> dict[str, str]:
        """The predefined ones that were given and not declared: seen by RUN, in no cache key."""
        return {
            name: value
            for name, value in self.given.items()
            if name in PROXY_ARGS and value is not None and name not in self.declared
        }

    def lookup(self, environment: Mapping[str, str]) -> Lookup:
        """Names as an instruction sees them: ENV wins over ARG."""
        seen = {**self.proxies(), **self.values(), **environment}
        return seen.get
