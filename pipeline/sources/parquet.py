"""Source ``parquet``: a column of encoded images and a column of labels, as Hugging Face writes them or plain.

A shuffled plan asks for rows all over the files, and Parquet can only be read by whole row groups: groups of about
100 images read fast, larger ones are read again and again.
"""

import bisect
import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.sources.base import Entry, Source, SourceError
from pipeline.sources.labels import ClassIndex, LabelOptions, label_text
from pipeline.sources.local import checked_key, existing_path

CACHE_BYTES = 128 * 2**20
"""Bytes of images that are kept in memory between reads; a row group above a quarter of it is streamed instead."""


class ParquetOptions(LabelOptions):
    """Options of ``parquet``."""

    path: str = Field(description="a Parquet file, or a folder whose .parquet files are read, sorted by path")
    split: str = Field("", description="name of the split, such as train; it enters the random draws, not the path")
    image: str = Field("image", description="column of encoded images: bytes, or a struct with a field 'bytes'")
    label: str = Field("label", description="column of labels: integers or strings")
    key: str | None = Field(None, description="column of unique keys; absent: the key is FILE:ROW")


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """A row group: its place, its first row in the whole source, and the size of its images, unpacked."""

    file: int
    number: int
    first_row: int
    num_bytes: int


class Parquet(Source):
    """Rows of Parquet files; an entry's offset is its row in all files together."""

    kind = "parquet"
    Options = ParquetOptions
    options: ParquetOptions

    def __init__(self, options: ParquetOptions) -> None:
        super().__init__(options)
        self._root = existing_path(self.kind, options.path)
        self._files = [self._root] if self._root.is_file() else sorted(self._root.rglob("*.parquet"))
        if not self._files:
            raise SourceError(f"source parquet: the folder {options.path!r} holds no .parquet file")
        self._cache: OrderedDict[_RowGroup, Any] = OrderedDict()

    @property
    def paths(self) -> tuple[str, ...]:
        """The file or folder."""
        return (os.fspath(self._root),)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names: the option, else what Hugging Face's metadata says, else the distinct labels."""
        return self._index.names

    @cached_property
    def _index(self) -> ClassIndex:
        given = self.options.classes
        if given is None:
            given = _huggingface_names(self._open(self._files[0]).schema_arrow.metadata, self.options.label)
        found = {label for _, _, label in self._labels()} if given is None else ()
        return ClassIndex(self.kind, given, found)

    def entries(self) -> Iterator[Entry]:
        """List the rows; only the label and key columns are read."""
        for row, (where, key, label) in enumerate(self._labels()):
            yield Entry(key, self._index.index(label, where), row)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the images, reading each row group once."""
        starts = [group.first_row for group in self._groups]
        by_group: dict[int, dict[int, list[int]]] = {}  # group -> row in it -> positions in entries
        for position, entry in enumerate(entries):
            group = bisect.bisect_right(starts, entry.offset) - 1
            rows = by_group.setdefault(group, {})
            rows.setdefault(entry.offset - starts[group], []).append(position)
        found = [b""] * len(entries)
        for group, rows in sorted(by_group.items()):
            for row, encoded in self._rows(self._groups[group], sorted(rows)):
                for position in rows[row]:
                    found[position] = encoded
        return found

    def _rows(self, group: _RowGroup, rows: list[int]) -> Iterator[tuple[int, bytes]]:
        if group.num_bytes <= CACHE_BYTES // 4:
            images = self._cached(group)
            yield from ((row, images[row].as_py() or b"") for row in rows)
            return
        first = 0
        for images in self._batches(group, batch_size=64):
            last = first + len(images)
            inside = rows[bisect.bisect_left(rows, first) : bisect.bisect_left(rows, last)]
            yield from ((row, images[row - first].as_py() or b"") for row in inside)
            first = last

    def _cached(self, group: _RowGroup) -> Any:
        """Return the images of a row group as an Arrow array, from memory if it was among the last ones."""
        import pyarrow as pa

        if group not in self._cache:
            self._cache[group] = pa.chunked_array(list(self._batches(group, batch_size=1024)))
            while sum(kept.num_bytes for kept in self._cache) > CACHE_BYTES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(group)
        return self._cache[group]

    def _batches(self, group: _RowGroup, batch_size: int) -> Iterator[Any]:
        """Read the image column of a row group as Arrow arrays of bytes."""
        file = self._open(self._files[group.file])
        column, path = _image_field(file, self.options.image)
        for batch in file.iter_batches(batch_size, row_groups=[group.number], columns=[path], use_threads=False):
            images = batch.column(0)
            yield images if column == path else images.field("bytes")

    @cached_property
    def _groups(self) -> list[_RowGroup]:
        groups, first_row = [], 0
        for number, path in enumerate(self._files):
            file = self._open(path)
            leaf = [file.schema.column(column).path for column in range(len(file.schema))].index(
                _image_field(file, self.options.image)[1]
            )
            for group in range(file.metadata.num_row_groups):
                rows = file.metadata.row_group(group)
                groups.append(_RowGroup(number, group, first_row, rows.column(leaf).total_uncompressed_size))
                first_row += rows.num_rows
        return groups

    def _labels(self) -> Iterator[tuple[str, str, str]]:
        """Yield where it stands, key and label of each row."""
        columns = list({self.options.label, self.options.key or self.options.label})
        for path in self._files:
            row = 0
            name = path.name if path == self._root else path.relative_to(self._root).as_posix()
            for batch in self._open(path).iter_batches(8192, columns=columns, use_threads=False):
                labels = batch.column(self.options.label).to_pylist()
                keys = batch.column(self.options.key).to_pylist() if self.options.key else [None] * len(labels)
                for label, key in zip(labels, keys, strict=True):
                    where = f"{name}:{row}"
                    if key is None and self.options.key:
                        raise SourceError(f"source parquet: {where} has no key")
                    yield where, checked_key(self.kind, where if key is None else str(key)), self._text(label, where)
                    row += 1

    def _text(self, label: object, where: str) -> str:
        return label_text(self.kind, label, where)

    def _open(self, path: Path) -> Any:
        """Open a file and check that it has the columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(path, buffer_size=2**20)  # without it, a column chunk is loaded whole
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(f"source parquet: {path.name} is no readable Parquet file: {error}") from error
        names = file.schema_arrow.names
        for column in (self.options.image, self.options.label, self.options.key):
            if column is not None and column not in names:
                raise SourceError(f"source parquet: {path.name} has no column {column!r}, only {', '.join(names)}")
        return file


def _image_field(file: Any, column: str) -> tuple[str, str]:
    """Return the image column and the path of its bytes below it."""
    import pyarrow as pa

    kind = file.schema_arrow.field(column).type
    if pa.types.is_struct(kind) and "bytes" in [kind.field(number).name for number in range(kind.num_fields)]:
        return column, f"{column}.bytes"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return column, column
    raise SourceError(f"source parquet: column {column!r} is {kind}, not bytes or a struct with a field 'bytes'")


def _huggingface_names(metadata: dict[bytes, bytes] | None, column: str) -> list[str] | None:
    """Return the class names that the datasets library stores in the schema, if it did."""
    try:
        names = json.loads((metadata or {})[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names] if names else None
