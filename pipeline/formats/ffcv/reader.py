"""Samples of a dataset's FFCV file.

Our betons hold uncompressed images of one size, so every place follows from the sample's number: FFCV itself is not
needed (it takes seconds to import and compiles its pipelines).
"""

from collections.abc import Mapping
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats.ffcv.beton import COLUMNS, HEADER, Layout, read_beton_header
from passband.pipeline.formats.packed import Columns, PackedReader
from passband.pipeline.loading.decoding import flat_bytes, side_by_side
from passband.pipeline.loading.descriptors import read_into


class BetonReader(PackedReader):
    """Reads rows of a beton."""

    def columns(self) -> Columns:
        """Read the layout and the rows of metadata."""
        self.check(0, HEADER.itemsize)
        self._layout = self._read_layout()
        start, metadata = self._layout.metadata_start, self._layout.metadata
        content = self.content(start, start + self._layout.num_samples * metadata.itemsize)
        rows = np.frombuffer(content, metadata)
        places = {name: f"f{number}" for number, name in enumerate(COLUMNS, self._layout.num_views)}
        labels, groups, indices = (np.array(rows[places[name]], np.int64) for name in ("label", "group", "index"))
        return labels, groups, indices

    def spans(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the samples of `rows` begin and end in the file."""
        starts = self._layout.pointers(rows)[:, 0]
        return starts, starts + self._layout.sample_bytes

    def read(self, number: int, rows: NDArray[np.int64], out: Mapping[str, NDArray[Any]]) -> bool:
        """Read views of `rows`, those that lie side by side at once; say whether all of them were there."""
        pointers, size = self._layout.pointers(rows), self._layout.view_bytes
        found = 0
        for first, run in side_by_side({self.numbers[name]: pixels for name, pixels in out.items()}):
            targets = [(flat_bytes(pixels), size) for pixels in run]
            found += read_into(repeat(number), pointers[:, first].tolist(), targets)
        return found == len(rows) * len(out) * size

    def _read_layout(self) -> Layout:
        """Return the layout of the file; raise IntegrityError unless it is that of the manifest's samples."""
        try:
            header = read_beton_header(self.path)
        except ValueError as error:
            raise IntegrityError(str(error)) from error
        _, height, width = self.manifest.shape
        layout = Layout(self.manifest.samples, len(self.manifest.views), height, width, header.page_bytes)
        found = (header.num_samples, header.num_views, header.height, header.width)
        if found != (layout.num_samples, layout.num_views, layout.height, layout.width):
            raise IntegrityError(
                f"{self.where}: holds {found} samples, views, height and width; the manifest says otherwise"
            )
        return layout
