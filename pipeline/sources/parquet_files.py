"""Opening Parquet files that say anything: what a footer claims is bounded, and whatever Arrow raises is one line."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import plain, said, shown
from passband.pipeline.sources.parquet_pages import check_short
from passband.pipeline.sources.regular import opened

_KIND = "parquet"
_MAX_FOOTER_BYTES = 16 * 2**20  # a thousand row groups of five columns take less than one
_MAX_COLUMNS = 10_000
_MAX_CONTAINER = 100_000  # row groups, or pairs of metadata
_MAX_BATCH, _BATCH_BYTES = 8192, 2**25  # rows of labels at a time: any may be as long as a whole dictionary
_TAIL = 8  # bytes: the footer's length and the mark


def open_parquet(path: Path) -> Any:
    """Open a file as ``pyarrow.parquet.ParquetFile``.

    Raises
    ------
    SourceError
        It is none, or its footer is larger than any, or claims more rows than the file has bytes.
    """
    import pyarrow.parquet as pq

    with readable(path):
        num_bytes = _check_footer(path)
        file = pq.ParquetFile(
            path,
            buffer_size=2**20,  # without it, a column chunk is loaded whole
            thrift_string_size_limit=_MAX_FOOTER_BYTES,
            thrift_container_size_limit=_MAX_CONTAINER,
        )
        _check_counts(file.metadata, num_bytes, path)
        file.schema_arrow.names  # noqa: B018  # names may be no UTF-8
    return file


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what Arrow raises about a file into a SourceError of one line."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # ValueError: text that is no UTF-8
        raise SourceError(f"source {_KIND}: {plain(path.name)} is no readable Parquet file: {_why(error)}") from error


def _why(error: Exception) -> str:
    return "a text is not valid UTF-8" if isinstance(error, UnicodeDecodeError) else said(error)


def check_columns(path: Path, names: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise SourceError unless each wanted column stands once among `names`."""
    for column in wanted:
        if column not in names:
            known = f"only {plain(', '.join(names))}" if names else "nor any other"
            raise SourceError(f"source {_KIND}: {plain(path.name)} has no column {shown(column)}, {known}")
        if names.count(column) > 1:
            raise SourceError(f"source {_KIND}: {plain(path.name)} has {names.count(column)} columns {shown(column)}")


def _check_footer(path: Path) -> int:
    """Return the file's size; refuse a footer that is longer than any, which would be read before it is looked at."""
    with opened(_KIND, path, path.name) as descriptor:
        num_bytes = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL, max(0, num_bytes - _TAIL))
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] == b"PAR1" and _MAX_FOOTER_BYTES < length < num_bytes:
        raise SourceError(
            f"source {_KIND}: {plain(path.name)} has {length:,} bytes of metadata; {_MAX_FOOTER_BYTES:,} are read"
        )
    return num_bytes


def _check_counts(metadata: Any, num_bytes: int, path: Path) -> None:
    """Refuse what would be listed for hours: a run of one value takes a few bytes, however many rows it is."""
    start = f"source {_KIND}: {plain(path.name)} "
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    if metadata.num_columns > _MAX_COLUMNS:
        raise SourceError(f"{start}has {metadata.num_columns:,} columns; {_MAX_COLUMNS:,} are read")
    if min(groups, default=0) < 0 or sum(groups) != metadata.num_rows:
        raise SourceError(f"{start}is damaged: its row groups do not add up to its {metadata.num_rows:,} rows")
    if metadata.num_rows > num_bytes:
        raise SourceError(f"{start}claims {metadata.num_rows:,} rows in {num_bytes:,} bytes: no image is so small")


def leaf_of(metadata: Any, path: Path, name: str) -> int:
    """Return which leaf is called `name`, PARENT.CHILD where it is an inner one.

    Two that are called alike are refused, and one that has not a value for each row: Arrow gives as many rows as the
    footer claims.
    """
    found = [number for number in range(len(metadata.schema)) if metadata.schema.column(number).path == name]
    if len(found) != 1:
        raise SourceError(f"source {_KIND}: {plain(path.name)} has {len(found)} columns that are called {shown(name)}")
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        values = group.column(found[0]).num_values
        if values != group.num_rows:
            raise SourceError(
                f"source {_KIND}: {plain(path.name)} is damaged: {values:,} values of {shown(name)} in "
                f"{group.num_rows:,} rows"
            )
    return found[0]


def short_values(path: Path, file: Any, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    """Yield the values of columns of labels and keys, some thousand rows at a time.

    Raises
    ------
    SourceError
        A column is of lists or structs, or has values that are longer than any label or key; the file is damaged.
    """
    largest = 1
    for column in columns:
        kind = file.schema_arrow.field(column).type
        if _is_nested(kind):
            raise SourceError(
                f"source {_KIND}: column {shown(column)} of {plain(path.name)} is {plain(str(kind))}, "
                "neither integers nor texts"
            )
        leaf = leaf_of(file.metadata, path, column)
        for group in range(file.metadata.num_row_groups):
            largest = max(largest, check_short(path, file.metadata.row_group(group).column(leaf), column))
    size = max(1, min(_MAX_BATCH, _BATCH_BYTES // largest))
    with readable(path):
        batches = file.iter_batches(size, columns=list(columns), use_threads=False)
    while (batch := next_of(batches, path)) is not None:
        with readable(path):
            values = {column: batch.column(column).to_pylist() for column in columns}
        yield values if columns else {"": [None] * len(batch)}


def next_of(batches: Iterator[Any], path: Path) -> Any:
    """Return the next batch of a file, None at its end; SourceError where the file is damaged."""
    with readable(path):
        return next(batches, None)


def _is_nested(kind: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_nested(kind) or (types.is_dictionary(kind) and types.is_nested(kind.value_type)))
