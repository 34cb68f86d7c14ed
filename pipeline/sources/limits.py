"""What is believed of other people's files at most, and why; and how what they say is shown in a message.

A file from elsewhere may say anything: a class of a gigabyte, a header of 200 GB, a name that moves the cursor. What
is beyond these limits is refused, or recorded as a bad image, before it is read; a message shows the beginning.
"""

from typing import Any

MAX_KEY_BYTES = 4096
"""Of a sample's key, in UTF-8: no path is longer."""
MAX_LABEL_BYTES = 1024
"""Of a class's name, in UTF-8: four times what a folder can be called."""
MAX_LABEL = 2**31 - 1
"""Labels that are integers are not above: a training has no place for so many classes."""
MAX_CLASSES_BYTES = 2**25
"""Of all names of classes together: a million classes are named in so much, and then every manifest holds them."""
MAX_JSON_BYTES = 4 * 2**20
"""Of a JSON document about samples: in memory it can be fifty times as large."""
_SHOWN = 160  # characters of a value that a message shows: a path may need them
_SAID = 200  # and of another library's message


def shown(value: Any) -> str:
    """Return a value as Python spells it, on one line that prints, cut where it is long."""
    most = _SHOWN // 2 if isinstance(value, bytes) else _SHOWN  # bytes are spelled in four characters each
    if isinstance(value, str | bytes) and len(value) > most:
        return f"{value[:most]!r}... ({len(value):,} {'characters' if isinstance(value, str) else 'bytes'})"
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of {value.bit_length():,} bits"
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value):,}"
    return _cut(repr(value), _SHOWN)


def plain(name: str) -> str:
    """Return a name as it is if it prints and is short, or as `shown` spells it."""
    return name if name.isprintable() and len(name) <= _SHOWN else shown(name)


def said(error: BaseException) -> str:
    """Return another library's message on one line that prints."""
    text = " ".join(str(error).split()) or type(error).__name__
    return _cut(text if text.isprintable() else ascii(text)[1:-1], _SAID)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
