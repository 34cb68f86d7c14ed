"""Images of Parquet files by their row: whole row groups are read, and the last ones kept in memory."""

import bisect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import plain
from passband.pipeline.sources.parquet_files import leaf_of, next_of, readable
from passband.pipeline.sources.parquet_images import ImageColumn
from passband.pipeline.sources.parquet_pages import Layout, image_layout

CACHE_BYTES = 128 * 2**20
"""Bytes of images that are kept in memory between reads; a row group above a quarter of it is streamed instead."""


@dataclass(frozen=True, slots=True)
class _RowGroup:
    """A row group: its place, and which leaf holds its images; its first row in the source and in its file."""

    file: int
    number: int
    leaf: int
    first_row: int
    first_in_file: int
    num_rows: int


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
        self._layouts: dict[_RowGroup, Layout] = {}
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

    def sizes(self, rows: Sequence[int]) -> list[int]:
        """Return about how many bytes the images of `rows` have: those of their row groups on average."""
        starts = [group.first_row for group in self._groups]
        groups = (self._groups[bisect.bisect_right(starts, row) - 1] for row in rows)
        return [self._layout(group).value_bytes for group in groups]

    def _images(self, group: _RowGroup, rows: list[int]) -> Iterator[tuple[int, bytes]]:
        images = self._cached(group)
        if images is not None:
            yield from ((row, self._content(group, row, images[row])) for row in rows)
            return
        first = 0
        for images in self._batches(group):
            last = first + len(images)
            inside = rows[bisect.bisect_left(rows, first) : bisect.bisect_left(rows, last)]
            yield from ((row, self._content(group, row, images[row - first])) for row in inside)
            first = last

    def _content(self, group: _RowGroup, row: int, value: Any) -> bytes:
        where = f"{plain(self._names[group.file])}:{group.first_in_file + row}"
        with readable(self._files[group.file]):  # a path may be no UTF-8
            found = value.as_py()
        return self._columns[group.file].content(found, self._files[group.file], where)

    def _cached(self, group: _RowGroup) -> Any:
        """Return the images of a row group as an Arrow array, from memory if it was among the last ones.

        None where they are too large, as only reading them tells: a dictionary may hold one image for a million rows.
        """
        import pyarrow as pa

        if group not in self.cache:
            if self._layout(group).num_bytes > CACHE_BYTES // 4:
                return None
            parts, total = [], 0
            for part in self._batches(group):
                parts.append(part)
                total += part.nbytes
                if total > CACHE_BYTES // 4:
                    return None
            self.cache[group] = pa.chunked_array(parts)
            while sum(kept.nbytes for kept in self.cache.values()) > CACHE_BYTES:
                self.cache.popitem(last=False)
        self.cache.move_to_end(group)
        return self.cache[group]

    def _layout(self, group: _RowGroup) -> Layout:
        if group not in self._layouts:
            path = self._files[group.file]
            chunk = self._open(path).metadata.row_group(group.number).column(group.leaf)
            self._layouts[group] = image_layout(path, chunk)
        return self._layouts[group]

    def _batches(self, group: _RowGroup) -> Iterator[Any]:
        """Read the image column of a row group as Arrow arrays."""
        path, column, size = self._files[group.file], self._columns[group.file], self._layout(group).batch
        file, rows = self._open(path), 0
        with readable(path):
            batches = file.iter_batches(size, row_groups=[group.number], columns=column.leaves, use_threads=False)
        while (batch := next_of(batches, path)) is not None:
            yield batch.column(column.name)
            rows += len(batch)
        if rows != group.num_rows:
            raise SourceError(f"source parquet: {plain(path.name)} is damaged: rows are missing, or has it changed?")

    def _add(self, column: ImageColumn, metadata: Any) -> None:
        """Count through the row groups of one more file."""
        number, first_in_file = len(self._columns), 0
        leaves = [leaf_of(metadata, self._files[number], leaf) for leaf in column.leaves]
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            self._groups.append(_RowGroup(number, group, leaves[0], self._num_rows, first_in_file, rows))
            self._num_rows, first_in_file = self._num_rows + rows, first_in_file + rows
        self._columns.append(column)
