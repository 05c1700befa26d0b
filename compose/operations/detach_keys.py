"""The keys that leave a container's terminal without ending its program: ctrl-p ctrl-q, or others. Pure.

Source: docker's documentation of --detach-keys: single letters, or ctrl- and one of a-z @ [ \\ ] ^ _,
joined by commas.
"""

from __future__ import annotations

from compose.errors import UsageError

DEFAULT = "ctrl-p,ctrl-q"


def parse_keys(text: str) -> bytes:
    """ "ctrl-p,q" -> the bytes of the keys. Raises UsageError."""
    found = bytearray()
    for key in text.split(","):
        control = key.lower().removeprefix("ctrl-")
        if len(key) == 1 and key.isascii():
            found += key.encode()
        elif key.lower().startswith("ctrl-") and len(control) == 1 and control in "abcdefghijklmnopqrstuvwxyz@[\\]^_":  # fmt: skip
            found.append(ord(control.upper()) - 64)
        else:
            raise UsageError(
                f'invalid detach keys "{text}": unknown character: "{key}": use letters, or ctrl- and '
                "one of a-z @ [ \\ ] ^ _, joined by commas"
            )
    return bytes(found)


class DetachKeys:
    """Watches what is typed; keys that may begin the sequence are held back until it is known."""

    def __init__(self, keys: bytes) -> None:
        self.keys = keys
        self._held = 0
        self.detached = False

    def feed(self, data: bytes) -> bytes:
        """What is to be sent on; `detached` is set once the sequence is complete."""
        if not self.keys:
            return data
        out = bytearray()
        for byte in data:
            if byte == self.keys[self._held]:
                self._held += 1
                if self._held == len(self.keys):
                    self.detached = True
                    return bytes(out)
                continue
            out += self.keys[: self._held]
            self._held = int(byte == self.keys[0])
            if not self._held:
                out.append(byte)
        return bytes(out)
