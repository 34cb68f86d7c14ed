"""Parquet files written field by field, so that every one of them can lie."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

BOOLEAN, INT32, INT64, BYTE_ARRAY = 0, 1, 2, 6
PLAIN, RLE_DICTIONARY = 0, 8
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12


def varint(number: int) -> bytes:
    """Return an unsigned number, seven bits a byte."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _zigzag(number: int) -> bytes:
    return varint((number << 1 ^ number >> 63) & 2**64 - 1)


@dataclass(frozen=True)
class I32:
    """A number of 32 bits, where plain ints are of 64."""

    value: int


def encoded(value: Any) -> tuple[int, bytes]:
    """Return type and bytes of a value in the compact protocol: int, I32, bytes, list, or field -> value."""
    if isinstance(value, I32):
        return _I32, _zigzag(value.value)
    if isinstance(value, int):
        return _I64, _zigzag(value)
    if isinstance(value, bytes):
        return _BINARY, varint(len(value)) + value
    if isinstance(value, list):
        items = [encoded(item) for item in value]
        kind, count = (items[0][0] if items else _I32), len(items)
        start = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + varint(count)
        return _LIST, start + b"".join(item for _, item in items)
    return _STRUCT, struct(value)


def struct(fields: dict[int, Any]) -> bytes:
    """Return a struct, its fields in order of their numbers; None is left out."""
    found, before = b"", 0
    for number, value in sorted(fields.items()):
        if value is not None:
            kind, content = encoded(value)
            step = number - before
            found += bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + _zigzag(number)
            found, before = found + content, number
    return found + b"\0"


def page(
    content: bytes,
    values: int,
    encoding: int = PLAIN,
    *,
    unpacked: int | None = None,
    kind: int = 0,
    claim: int | None = None,
) -> bytes:
    """Return a page of data (kind 0) or of a dictionary (2): header and content.

    Parameters
    ----------
    unpacked : what the header says the content unpacks to; by default its own length
    claim : what the header says the content's length is
    """
    own = {1: I32(values), 2: I32(encoding), 3: I32(3), 4: I32(3)} if kind == 0 else {1: I32(values), 2: I32(encoding)}
    size = len(content) if claim is None else claim
    return (
        struct(
            {1: I32(kind), 2: I32(size if unpacked is None else unpacked), 3: I32(size), (5 if kind == 0 else 7): own}
        )
        + content
    )


def texts(values: Sequence[bytes]) -> bytes:
    """Return byte arrays as PLAIN has them."""
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


def runs(count: int, index: int = 0) -> bytes:
    """Return one run of a dictionary's index, as RLE_DICTIONARY has it: a few bytes, however long."""
    return bytes([8]) + varint(count << 1) + bytes([index])


@dataclass
class Column:
    """A column of required values, and what the footer says of it.

    Attributes
    ----------
    pages : header and content of each
    codec : 0 none, 1 Snappy, 2 gzip, 6 Zstandard
    more : fields of the metadata that are other than they should be
    """

    name: bytes
    kind: int
    pages: list[bytes]
    rows: int
    codec: int = 0
    has_dictionary: bool = False
    unpacked: int | None = None
    more: dict[int, Any] = field(default_factory=dict)


def plain(name: bytes, values: Sequence[bytes] | Sequence[int]) -> Column:
    """Return a column of texts or of 64-bit integers, honestly."""
    if values and isinstance(values[0], bytes):
        content, kind = texts(values), BYTE_ARRAY  # type: ignore[arg-type]
    else:
        content, kind = b"".join(int(value).to_bytes(8, "little", signed=True) for value in values), INT64
    return Column(name, kind, [page(content, len(values))], len(values))


def leaf(column: Column) -> dict[int, Any]:
    """Return the schema's element of a column."""
    return {1: I32(column.kind), 3: I32(0), 4: column.name}


def parquet(
    columns: Sequence[Column],
    *,
    schema: list[dict[int, Any]] | None = None,
    rows: int | None = None,
    group_rows: int | None = None,
    pairs: Sequence[tuple[bytes, bytes]] = (),
    more: dict[int, Any] | None = None,
    groups: int = 1,
) -> bytes:
    """Return a file of one row group, or of several that are the same bytes."""
    content, chunks = b"PAR1", []
    for column in columns:
        start, body = len(content), b"".join(column.pages)
        first = len(column.pages[0]) if column.has_dictionary else 0
        chunks.append({2: start, 3: _metadata(column, start, start + first if first else start, len(body))})
        content += body
    count = columns[0].rows if columns else 0
    group = {1: chunks, 2: len(content), 3: count if group_rows is None else group_rows}
    root = {4: b"schema", 5: I32(len(columns))}
    footer = struct(
        {
            1: I32(2),
            2: schema if schema is not None else [root, *map(leaf, columns)],
            3: count * groups if rows is None else rows,
            4: [group] * groups,
            5: [{1: key, 2: value} for key, value in pairs] or None,
            **(more or {}),
        }
    )
    return content + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _metadata(column: Column, start: int, data: int, packed: int) -> dict[int, Any]:
    return {
        1: I32(column.kind),
        2: [I32(PLAIN), I32(RLE_DICTIONARY)],
        3: [column.name],
        4: I32(column.codec),
        5: column.rows,
        6: packed if column.unpacked is None else column.unpacked,
        7: packed,
        9: data,
        11: start if column.has_dictionary else None,
        **column.more,
    }
