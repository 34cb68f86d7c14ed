"""Source ``parquet``: a column of encoded images and a column of labels, as Hugging Face writes them or plain.

A shuffled plan asks for rows all over the files, and Parquet can only be read by whole row groups: groups of about
100 images read fast, larger ones are read again and again.
"""

import bisect
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from pydantic import Field

from pipeline.sources.base import Entry, Source, SourceError
from pipeline.sources.found import Wanted, find_files
from pipeline.sources.labels import ClassIndex, Label, LabelOptions, checked_label, untyped_label
from pipeline.sources.local import checked_key
from pipeline.sources.parquet_classes import Names, common_names, huggingface_names, translation
from pipeline.sources.parquet_images import ImageColumn, image_column, value_type
from pipeline.sources.splits import SPLIT_DESCRIPTION
from pipeline.sources.walk import IGNORE_DESCRIPTION, Walk

CACHE_BYTES = 128 * 2**20
"""Bytes of images that are kept in memory between reads; a row group above a quarter of it is streamed instead."""


class ParquetOptions(LabelOptions):
    """Options of ``parquet``."""

    places: ClassVar[frozenset[str]] = frozenset({"path", "ignore"})

    path: str = Field(
        description="a Parquet file, a folder whose .parquet files are read, sorted by path, or a pattern such as "
        "'train-{00..03}.parquet' or *; of a folder and of what matches, names with _ or . in front are left out"
    )
    split: str = Field("", description=SPLIT_DESCRIPTION)
    ignore: list[str] = Field(default=[], description=IGNORE_DESCRIPTION)
    image: str = Field(
        "image",
        description="column of encoded images: bytes, or a struct with a field 'bytes'; or of paths below the folder "
        "of the Parquet file",
    )
    label: str = Field(
        "label",
        description="column of labels: integers, which are indices, or names; absent from a file, the part "
        "COLUMN=VALUE of its path",
    )
    key: str | None = Field(None, description="column of unique keys; absent: the key is FILE:ROW")


class _ParquetWalk(Walk):
    """Leaves out what Spark and Hadoop write beside the data: ``_SUCCESS``, ``_metadata``, checksums."""

    def reason(self, name: str) -> str | None:
        """Say why `name` is left out, or None."""
        own = name.rpartition("/")[2]
        beside = (own.startswith("_") and "=" not in own) or own.endswith(".crc")
        return super().reason(name) or ("not data" if beside else None)


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """A row group: its place, its first row in the source and in its file, and the size of its images, unpacked."""

    file: int
    number: int
    first_row: int
    first_in_file: int
    num_bytes: int


class Parquet(Source):
    """Rows of Parquet files; an entry's offset is its row in all files together."""

    kind = "parquet"
    Options = ParquetOptions
    options: ParquetOptions

    def __init__(self, options: ParquetOptions) -> None:
        super().__init__(options)
        wanted = Wanted(self.kind, options.path, options.split, options.ignore, (".parquet",), _ParquetWalk)
        self._found = find_files(wanted, self.skipped)
        self.skipped.keep()
        self._names, self._files = list(self._found.files), list(self._found.files.values())
        self._cache: OrderedDict[_RowGroup, Any] = OrderedDict()

    @property
    def paths(self) -> tuple[str, ...]:
        """The file or folder, or the files that match."""
        return tuple(map(os.fspath, self._files)) if self._found.root is None else (os.fspath(self._found.root),)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names: the option, else what Hugging Face's metadata says, else the distinct labels."""
        return self._index.names

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the choice of files and of the labels."""
        mapped = [name for name in self._names if self._translation(name) is not None]
        others = (f"{', '.join(mapped[:3])}: classes in another order, mapped by name",) if mapped else ()
        return (*self._found.warnings, *others, *self._index.warnings)

    @cached_property
    def _own_names(self) -> dict[str, Names]:
        """Class names in the metadata of each file."""
        return {
            name: huggingface_names(self._open(path).schema_arrow.metadata, self.options.label)
            for name, path in self._found.files.items()
        }

    @cached_property
    def _index(self) -> ClassIndex:
        given = self.options.classes
        if given is None:
            given = self._given_by_files()
        found = {label for _, _, label in self._labels()} if given is None else ()
        return ClassIndex(self.kind, given, found)

    def _given_by_files(self) -> list[str] | int | None:
        """Return the class names in the metadata; two classes where all labels are truth values."""
        import pyarrow as pa

        kinds = {name: self._label_type(path) for name, path in self._found.files.items()}
        if all(kind is not None and pa.types.is_boolean(kind) for kind in kinds.values()):
            return 2
        integers = [name for name, kind in kinds.items() if kind is not None and pa.types.is_integer(kind)]
        return common_names(self._own_names, integers)

    def _label_type(self, path: Path) -> Any:
        schema = self._open(path).schema_arrow
        return value_type(schema.field(self.options.label).type) if self.options.label in schema.names else None

    def _translation(self, name: str) -> Names:
        if isinstance(self.options.classes, int):
            return None
        return translation(self._own_names[name], self.classes, name)

    def entries(self) -> Iterator[Entry]:
        """List the rows; only the label and key columns are read."""
        self.skipped.clear()
        row = 0
        for name, path in self._found.files.items():
            names = self._translation(name)
            for where, key, label in self._labels_of(name, path):
                named = names[label] if names is not None and isinstance(label, int) and label < len(names) else label
                yield Entry(key, self._index.index(named, where), row)
                row += 1

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
            yield from ((row, self._content(group, row, images[row])) for row in rows)
            return
        first = 0
        for images in self._batches(group, batch_size=64):
            last = first + len(images)
            inside = rows[bisect.bisect_left(rows, first) : bisect.bisect_left(rows, last)]
            yield from ((row, self._content(group, row, images[row - first])) for row in inside)
            first = last

    def _content(self, group: _RowGroup, row: int, value: Any) -> bytes:
        where = f"{self._names[group.file]}:{group.first_in_file + row}"
        return self._images[group.file].content(value.as_py(), self._files[group.file], where)

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
        """Read the image column of a row group as Arrow arrays."""
        file, leaves = self._open(self._files[group.file]), self._images[group.file].leaves
        for batch in file.iter_batches(batch_size, row_groups=[group.number], columns=leaves, use_threads=False):
            yield batch.column(0)

    @cached_property
    def _images(self) -> list[ImageColumn]:
        """What of each file holds its images."""
        return [image_column(self._open(path).schema_arrow, self.options.image) for path in self._files]

    @cached_property
    def _groups(self) -> list[_RowGroup]:
        groups, first_row = [], 0
        for number, path in enumerate(self._files):
            file, first_in_file = self._open(path), 0
            leaves = [file.schema.column(column).path for column in range(len(file.schema))]
            leaf = leaves.index(self._images[number].leaves[0])
            for group in range(file.metadata.num_row_groups):
                rows = file.metadata.row_group(group)
                size = rows.column(leaf).total_uncompressed_size
                groups.append(_RowGroup(number, group, first_row, first_in_file, size))
                first_row, first_in_file = first_row + rows.num_rows, first_in_file + rows.num_rows
        return groups

    def _labels(self) -> Iterator[tuple[str, str, Label]]:
        for name, path in self._found.files.items():
            yield from self._labels_of(name, path)

    def _labels_of(self, name: str, path: Path) -> Iterator[tuple[str, str, Label]]:
        """Yield where it stands, key and label of each row of a file."""
        file, row = self._open(path), 0
        fixed = None if self.options.label in file.schema_arrow.names else untyped_label(self._folder_label(path) or "")
        columns = list(
            {column for column in (self.options.label if fixed is None else None, self.options.key) if column}
        )
        for batch in file.iter_batches(8192, columns=columns, use_threads=False):
            labels = batch.column(self.options.label).to_pylist() if fixed is None else [fixed] * len(batch)
            keys = batch.column(self.options.key).to_pylist() if self.options.key else [None] * len(labels)
            for label, key in zip(labels, keys, strict=True):
                where = f"{name}:{row}"
                if key is None and self.options.key:
                    raise SourceError(f"source parquet: {where} has no key")
                key = checked_key(self.kind, where if key is None else str(key))
                yield where, key, checked_label(self.kind, label, where)
                row += 1

    def _folder_label(self, path: Path) -> str | None:
        """Return the label that stands in the path as COLUMN=VALUE, a partition as Hive and Spark write them."""
        start = f"{self.options.label}="
        values = [part.removeprefix(start) for part in path.parent.parts if part.startswith(start)]
        return unquote(values[-1]) if values and values[-1] != "__HIVE_DEFAULT_PARTITION__" else None

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
            if column is not None and column not in names and not self._in_path(column, path):
                raise SourceError(f"source parquet: {path.name} has no column {column!r}, only {', '.join(names)}")
        return file

    def _in_path(self, column: str, path: Path) -> bool:
        return column == self.options.label and self._folder_label(path) is not None
