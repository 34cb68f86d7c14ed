"""Images of Parquet files by their row: whole row groups are read, and the last ones kept in memory."""

import bisect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.sources.parquet_images import ImageColumn

CACHE_BYTES = 128 * 2**20
"""Bytes of images that are kept in memory between reads; a row group above a quarter of it is streamed instead."""


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """A row group: its place, its first row in the source and in its file, and the size of its images, unpacked."""

    file: int
    number: int
    first_row: int
    first_in_file: int
    num_bytes: int


class ImageRows:
    """The images of several files, their rows counted through.

    Parameters
    ----------
    files : name -> file, in their order
    described : what of each file holds its images, and its metadata, which are not kept
    open_file : opens one as ``pyarrow.parquet.ParquetFile``
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        described: Iterable[tuple[ImageColumn, Any]],
        open_file: Callable[[Path], Any],
    ) -> None:
        self._names, self._files, self._open = list(files), list(files.values()), open_file
        self._columns: list[ImageColumn] = []
        self._groups: list[_RowGroup] = []
        self._num_rows = 0
        for column, metadata in described:
            self._add(column, metadata)
        self.cache: OrderedDict[_RowGroup, Any] = OrderedDict()

    def read(self, rows: Sequence[int]) -> list[bytes]:
        """Return the images of rows of all files together, in their order, reading each row group once."""
        starts = [group.first_row for group in self._groups]
        by_group: dict[int, dict[int, list[int]]] = {}  # group -> row in it -> positions in entries
        for position, offset in enumerate(rows):
            group = bisect.bisect_right(starts, offset) - 1
            by_group.setdefault(group, {}).setdefault(offset - starts[group], []).append(position)
        found = [b""] * len(rows)
        for group, inside in sorted(by_group.items()):
            for row, encoded in self._images(self._groups[group], sorted(inside)):
                for position in inside[row]:
                    found[position] = encoded
        return found

    def _images(self, group: _RowGroup, rows: list[int]) -> Iterator[tuple[int, bytes]]:
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
        return self._columns[group.file].content(value.as_py(), self._files[group.file], where)

    def _cached(self, group: _RowGroup) -> Any:
        """Return the images of a row group as an Arrow array, from memory if it was among the last ones."""
        import pyarrow as pa

        if group not in self.cache:
            self.cache[group] = pa.chunked_array(list(self._batches(group, batch_size=1024)))
            while sum(kept.num_bytes for kept in self.cache) > CACHE_BYTES:
                self.cache.popitem(last=False)
        self.cache.move_to_end(group)
        return self.cache[group]

    def _batches(self, group: _RowGroup, batch_size: int) -> Iterator[Any]:
        """Read the image column of a row group as Arrow arrays."""
        file, leaves = self._open(self._files[group.file]), self._columns[group.file].leaves
        for batch in file.iter_batches(batch_size, row_groups=[group.number], columns=leaves, use_threads=False):
            yield batch.column(0)

    def _add(self, column: ImageColumn, metadata: Any) -> None:
        """Count through the row groups of one more file."""
        leaves = [metadata.schema.column(number).path for number in range(len(metadata.schema))]
        leaf, number, first_in_file = leaves.index(column.leaves[0]), len(self._columns), 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group)
            size = rows.column(leaf).total_uncompressed_size
            self._groups.append(_RowGroup(number, group, self._num_rows, first_in_file, size))
            self._num_rows, first_in_file = self._num_rows + rows.num_rows, first_in_file + rows.num_rows
        self._columns.append(column)
