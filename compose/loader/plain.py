"""Phase 1, the short way: YAML as most projects write it -> its tree, without a YAML reader. Pure.

Importing one takes longer than all else that a small project costs. Read here are block mappings and
lists with plain keys; scalars of one line, plain, or quoted without escapes; flow collections of one
line; literal text (`|`); anchors, aliases and `<<`. All else (tags, folded text, several documents, and
whatever is wrong) is None: the YAML reader says what it means. The rule: what is read here, is read as there, which
tests/unit/compose/loader/test_plain.py holds on the corpus and on files made of pieces.
"""

from __future__ import annotations

from compose.loader.scalars import Date, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_KEY = _LETTERS + "_-./"
_FLOW = frozenset(_KEY + "=+$~ ")
#: What a plain scalar does not begin with, here.
_INDICATORS = frozenset("&*!|>%@`,#?:]}")
_ANCHOR = _LETTERS + "_-"
_DEEPEST, _LONGEST_KEY = 40, 200
#: How many values aliases may stand for.
_MOST = 20_000


class _NotPlainError(Exception):
    """Something that the YAML reader must look at."""


def read(content: bytes) -> dict[str, Any] | None:
    """The tree of the one document in it; None if it is not as plain as that."""
    try:
        text = content.decode()
        # Tabs, carriage returns, other line breaks and a byte order mark are none of them.
        if not text.replace("\n", "").isprintable():
            return None
        return _Lines(text).document()
    except (UnicodeDecodeError, _NotPlainError):
        return None


class _Anchors:
    """What anchors name. Aliases may not make the tree much larger: the YAML reader looks at bombs."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Any, int]] = {}
        self._written = self._copied = 0

    @property
    def read(self) -> int:
        """How many values were read so far, those that aliases stand for each time anew."""
        return self._written + self._copied

    def count(self) -> None:
        """One more value that was written out."""
        self._written += 1

    def name(self, name: str, value: Any, size: int) -> None:
        """Give a value a name; `size` values were read for it."""
        if not name or name.strip(_ANCHOR) or name in self._values or value is None:
            raise _NotPlainError
        self._values[name] = value, size

    def named(self, name: str) -> Any:
        """The value of a name."""
        if name not in self._values:
            raise _NotPlainError
        value, size = self._values[name]
        self._copied += size
        if self._copied > 100 and (self._copied > 20 * self._written or self._copied > _MOST):
            raise _NotPlainError
        return value


class _Lines:
    """The lines, and how far they are read. `indent` and `text` are of the next one that says something."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = -1
        self._anchors = _Anchors()
        self.indent = -1
        self.text = ""
        self._advance()

    def document(self) -> dict[str, Any]:
        if self.text == "---" and self.indent == 0:
            self._advance()
        if self.indent != 0:
            raise _NotPlainError
        if self.text[0] == "{":
            found = _inline(self.text, self._anchors)
            self._advance()
        else:
            found = self._mapping(0, 0)
        if self.indent != -1 or not isinstance(found, dict):
            raise _NotPlainError
        return found

    def _advance(self) -> None:
        """To the next line that is neither blank nor a comment; at the end, `indent` is -1."""
        lines = self._lines
        for at in range(self._at + 1, len(lines)):
            text = lines[at].lstrip(" ")
            if text and text[0] != "#":
                self._at, self.indent, self.text = at, len(lines[at]) - len(text), text.rstrip(" ")
                if not self.indent and text.startswith(("--- ", "...", "%")):
                    raise _NotPlainError
                return
        self._at, self.indent, self.text = len(lines), -1, ""

    def _block(self, above: int, depth: int, *, list_may_stand_at: int) -> Any:
        """The value that begins in the next line, of a key or entry at indent `above`; None for no value."""
        if depth > _DEEPEST:
            raise _NotPlainError
        if self.text[:1] == "&" and self.indent > above:  # alone in its line, or it is no anchor
            name, before = self.text[1:], self._anchors.read
            self._advance()
            value = self._block(above, depth + 1, list_may_stand_at=above + 1)
            self._anchors.name(name, value, self._anchors.read - before + 1)
            return value
        is_entry = self.text == "-" or self.text.startswith("- ")
        if is_entry and self.indent >= list_may_stand_at:
            return self._list(self.indent, depth)
        return self._mapping(self.indent, depth) if self.indent > above else None

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.indent == indent:
            key, rest = _key(self.text)
            if key in found:
                raise _NotPlainError
            self._anchors.count()
            found[key] = self._entry(rest, indent, depth, list_may_stand_at=indent)
        if self.indent > indent:
            raise _NotPlainError
        return _merged(found)

    def _entry(self, rest: str, indent: int, depth: int, *, list_may_stand_at: int) -> Any:
        """The value behind a key or dash: in its line, or below it; with an anchor before it perhaps."""
        name, before = "", self._anchors.read
        if rest[:1] == "&":
            name, _, rest = rest[1:].partition(" ")
            rest = rest.lstrip(" ")
            if not name or rest[:1] in {"&", "*"}:
                raise _NotPlainError
        if not rest or rest[0] == "#":
            self._advance()
            value = self._block(indent, depth + 1, list_may_stand_at=list_may_stand_at)
        else:
            value = self._value(rest, indent)
        if name:
            self._anchors.name(name, value, self._anchors.read - before + 1)
        return value

    def _list(self, indent: int, depth: int) -> list[Any]:
        found: list[Any] = []
        while self.indent == indent and (self.text == "-" or self.text.startswith("- ")):
            rest = self.text[1:].lstrip(" ")
            self._anchors.count()
            if _is_pair(rest):
                # A mapping that begins beside the dash: its keys stand where the first one does.
                self.indent += len(self.text) - len(rest)
                self.text = rest
                found.append(self._block(indent, depth + 1, list_may_stand_at=1 << 30))
            else:
                found.append(self._entry(rest, indent, depth, list_may_stand_at=indent + 1))
        if self.indent > indent:
            raise _NotPlainError
        return found

    def _value(self, text: str, indent: int) -> Any:
        """A scalar or flow collection in the line, or literal text below it."""
        if text in {"|", "|-"}:
            return self._literal(indent, keep="\n" if text == "|" else "")
        value = _inline(text, self._anchors)
        self._advance()
        if self.indent > indent:  # the scalar goes on
            raise _NotPlainError
        return value

    def _literal(self, above: int, keep: str) -> str:
        lines, at = self._lines, self._at + 1
        first = lines[at] if at < len(lines) else ""
        indent = len(first) - len(first.lstrip(" "))
        if indent <= above or indent == len(first):
            raise _NotPlainError
        found: list[str] = []
        while at < len(lines):
            line = lines[at]
            text = line.lstrip(" ")
            own = len(line) - len(text)
            if text and own <= above:
                break
            if own < indent if text else own > indent:
                raise _NotPlainError
            found.append(line[indent:])
            at += 1
        else:
            if found.pop():  # no line break at the end of the file
                raise _NotPlainError
        self._at = at - 1
        self._advance()
        return "\n".join(found).rstrip("\n") + keep


def _key(text: str) -> tuple[str, str]:
    """The key and what follows it in the line, a comment being nothing."""
    key, colon, rest = text.partition(":")
    if not colon or not (_is_key(key) or key == "<<") or rest[:1] not in {"", " "}:
        raise _NotPlainError
    rest = rest.lstrip(" ")
    return key, "" if rest[:1] == "#" else rest


def _is_key(text: str) -> bool:
    return (
        0 < len(text) < _LONGEST_KEY
        and not text.strip(_KEY)
        and text[0] != "-"
        and type(resolve(text)) is str
    )


def _is_pair(text: str) -> bool:
    """Whether a mapping begins here; a scalar that looks like one is refused later on."""
    key, colon, rest = text.partition(":")
    return bool(colon) and rest[:1] in {"", " "} and (_is_key(key) or key == "<<")


def _merged(mapping: dict[str, Any]) -> dict[str, Any]:
    """The mapping with those that its `<<` names; its own keys win, then the first of them."""
    if "<<" not in mapping:
        return mapping
    found = {key: value for key, value in mapping.items() if key != "<<"}
    bases = mapping["<<"]
    for base in bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, dict):
            raise _NotPlainError
        for key, value in base.items():
            found.setdefault(key, value)
    return found


def _inline(text: str, anchors: _Anchors) -> Any:
    """The value of what is left of a line."""
    first = text[0]
    if first in "\"'[{*":
        value, end = _flow(text, 0, 0, anchors)
        rest = text[end:]
        if rest and not (rest[0] == " " and rest.lstrip(" ")[:1] in {"", "#"}):
            raise _NotPlainError
        return value
    text = text.partition(" #")[0].rstrip(" ")
    if (
        first in _INDICATORS
        or (first == "-" and text[1:2] in {"", " "})
        or ": " in text
        or text[-1] == ":"
    ):
        raise _NotPlainError
    return _scalar(text)


def _scalar(text: str) -> Any:
    value = resolve(text)
    if isinstance(value, Date):
        raise _NotPlainError
    return value


def _flow(text: str, at: int, depth: int, anchors: _Anchors) -> tuple[Any, int]:
    """The quoted scalar, list, mapping or plain scalar at a place of a line, and where it ends."""
    if depth > _DEEPEST:
        raise _NotPlainError
    anchors.count()
    first = text[at : at + 1]
    if first in {'"', "'"}:
        return _quoted(text, at, first)
    if first == "[":
        return _flow_list(text, at + 1, depth + 1, anchors)
    if first == "{":
        return _flow_mapping(text, at + 1, depth + 1, anchors)
    if first == "*":
        end = at + 1
        while end < len(text) and text[end] in _ANCHOR:
            end += 1
        return anchors.named(text[at + 1 : end]), end
    end = at
    while end < len(text) and text[end] in _FLOW:
        end += 1
    plain = text[at:end].rstrip(" ")
    if not plain or (plain[0] == "-" and plain[1:2] in {"", " "}):
        raise _NotPlainError
    return _scalar(plain), end


def _quoted(text: str, at: int, quote: str) -> tuple[str, int]:
    end = text.find(quote, at + 1)
    while quote == "'" and end >= 0 and text.startswith("''", end):
        end = text.find("'", end + 2)
    if end < 0:
        raise _NotPlainError
    value = text[at + 1 : end]
    if quote == "'":
        value = value.replace("''", "'")
    elif "\\" in value:
        raise _NotPlainError
    return value, end + 1


def _flow_list(text: str, at: int, depth: int, anchors: _Anchors) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _skip(text, at)
    if text.startswith("]", at):
        return found, at + 1
    while True:
        value, at = _flow(text, at, depth, anchors)
        found.append(value)
        at = _skip(text, at)
        if text.startswith("]", at):
            return found, at + 1
        if not text.startswith(",", at):
            raise _NotPlainError
        at = _skip(text, at + 1)


def _flow_mapping(text: str, at: int, depth: int, anchors: _Anchors) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    at = _skip(text, at)
    if text.startswith("}", at):
        return found, at + 1
    while True:
        if text[at : at + 1] in {'"', "'"}:
            key, at = _quoted(text, at, text[at])
            if key == "<<":
                raise _NotPlainError
        else:
            end = text.find(":", at)
            key, at = text[at:end], end
            if end < 0 or not (_is_key(key) or key == "<<"):
                raise _NotPlainError
        if key in found or len(key) >= _LONGEST_KEY or not text.startswith(": ", at):
            raise _NotPlainError
        at = _skip(text, at + 2)
        value = None
        if text[at : at + 1] not in {",", "}"}:
            value, at = _flow(text, at, depth, anchors)
            at = _skip(text, at)
        found[key] = value
        if text.startswith("}", at):
            return _merged(found), at + 1
        if not text.startswith(",", at):
            raise _NotPlainError
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    return at
