"""Values on the way into a message: what somebody wrote may be megabytes long, and a message is one line."""

import reprlib
from typing import Any

_LENGTH = 80


def shortened(text: str, length: int = _LENGTH) -> str:
    """Return a text of at most `length` characters: head and tail, and dots for what was left out."""
    if len(text) <= length:
        return text
    head = (length - 3) * 2 // 3
    return f"{text[:head]}...{text[len(text) - (length - 3 - head) :]}"


def on_one_line(text: str, length: int = _LENGTH) -> str:
    """Return a text shortened, without line breaks or what a terminal would obey."""
    text = " ".join(shortened(text, length).split())
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class _Repr(reprlib.Repr):
    """Looks at no more of a value than it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _LENGTH
        self.maxlist = self.maxdict = self.maxtuple = self.maxset = 4
        self.maxlevel = 3

    def repr_int(self, x: int, level: int) -> str:
        """Spell an integer; one beyond what Python spells is told by its length."""
        if x.bit_length() > 1024:
            return f"an integer of about {int(x.bit_length() * 0.30103) + 1:,} digits"
        return super().repr_int(x, level)


_REPR = _Repr()


def spelled(value: Any) -> str:
    """Return `value` as Python spells it, on one line of at most 80 characters or so."""
    return on_one_line(_REPR.repr(value), 2 * _LENGTH)
