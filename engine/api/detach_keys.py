"""The detach keys of a terminal: a sequence that a person types to leave, and what of it may pass. Pure.

Source: the docker CLI's --detach-keys ("ctrl-p,ctrl-q" by default); letters or ctrl- with a-z @ [ ] ^ _ \\.
"""

from __future__ import annotations

from engine.errors import InvalidRequestError

DEFAULT = "ctrl-p,ctrl-q"


def parse_keys(text: str) -> bytes:
    """ "ctrl-p,q" -> the bytes that are typed. Raises InvalidRequestError."""
    typed = bytearray()
    for key in (text or DEFAULT).split(","):
        control = key.removeprefix("ctrl-")
        if len(key) == 1 and key.isascii():
            typed += key.encode()
        elif key != control and len(control) == 1 and control in _CONTROLS:
            typed.append(_CONTROLS[control])
        else:
            raise InvalidRequestError(
                f"Invalid escape keys ({text}) provided",
                hint="write a letter or ctrl-letter, by commas",
            )
    return bytes(typed)


_CONTROLS = {chr(letter): letter - 96 for letter in range(ord("a"), ord("z") + 1)} | {
    "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31,
}  # fmt: skip


class DetachKeys:
    """Watches what is typed. What may be the beginning of the sequence is held back until it is clear."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """(what may pass, whether the sequence was typed); nothing behind the sequence passes."""
        data = self._held + data
        found = data.find(self._keys)
        if found >= 0:
            self._held = b""
            return data[:found], True
        keep = next(
            n
            for n in range(min(len(self._keys) - 1, len(data)), -1, -1)
            if data.endswith(self._keys[:n])
        )
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep], False
