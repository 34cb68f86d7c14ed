"""First step of a shard: rows of the plan in, pixels of one size out; bad images leave a gap."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.generation.blueprint import Blueprint, open_sources, source_key
from jobs.generation.clock import Clock
from jobs.generation.kept import Kept
from jobs.generation.plan import PlanRow
from pipeline.errors import IntegrityError
from pipeline.images import BadImage, fit_image, native_pixels
from pipeline.manifest import BadSample
from pipeline.sources import Entry, Source, SourceError


@dataclass(frozen=True)
class Batch:
    """Readable samples of some rows of the plan, and those that were not.

    Attributes
    ----------
    rows : list of PlanRow, one a readable sample
    pixels : (N, H, W, 3) uint8
    """

    rows: list[PlanRow]
    pixels: NDArray[np.uint8]
    bad: list[BadSample]

    def part(self, start: int, stop: int) -> "Batch":
        """Return some of the samples, with the same pixels; the bad ones are left to the whole."""
        return Batch(self.rows[start:stop], self.pixels[start:stop], [])

    @property
    def indices(self) -> NDArray[np.uint32]:
        """Plan index of each sample: its address in the random streams."""
        return np.array([row.index for row in self.rows], np.uint32)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label of each sample."""
        return np.array([row.label for row in self.rows], np.int64)


def _read(source: Source, entries: list[Entry]) -> list[bytes]:
    """Read from a source; its OSErrors are not those of the output, and another try may help."""
    try:
        return source.read(entries) if entries else []
    except OSError as error:
        raise SourceError(f"source {source.kind}: cannot read {entries[0].key!r} or one after it: {error}") from error


class Reader:
    """Reads, checks, decodes and fits samples of a dataset's sources."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._job = blueprint.job
        self._shape = blueprint.shape
        self._sources = open_sources(blueprint.job)

    def read(self, rows: Sequence[PlanRow], clock: Clock, known: Kept | None = None) -> Batch:
        """Return the samples of `rows`.

        Parameters
        ----------
        known : images that were read before; those not among them are read from the sources

        Raises
        ------
        IntegrityError
            If the source no longer holds the bytes that were planned; it names the sample.
        """
        with clock.step("read"):
            encoded = self._read_bytes(rows, known or Kept())
        pixels = np.empty((len(rows), *self._shape[1:], self._shape[0]), np.uint8)
        kept: list[PlanRow] = []
        bad: list[BadSample] = []
        with clock.step("decode"):
            for row, content in zip(rows, encoded, strict=True):
                try:
                    pixels[len(kept)] = self._decode(self._sources[row.source], content)
                    kept.append(row)
                except BadImage as error:
                    bad.append(BadSample(index=row.index, key=row.key, reason=error.reason))
        return Batch(kept, pixels[: len(kept)], bad)

    def _read_bytes(self, rows: Sequence[PlanRow], known: Kept) -> list[bytes]:
        given = ((row.index, known.take(row.source, row.key)) for row in rows)
        found = {index: content for index, content in given if content is not None}
        for position, source in enumerate(self._sources):
            own = [row for row in rows if row.source == position and row.index not in found]
            entries = [Entry(source_key(self._job, row.key), row.label, row.offset) for row in own]
            found |= zip((row.index for row in own), _read(source, entries), strict=True)
        for row in rows:
            if hashlib.sha256(found[row.index]).digest() != row.sha256:
                raise IntegrityError(f"sample {row.key!r} of the source changed after the plan was made")
        return [found[row.index] for row in rows]

    def _decode(self, source: Source, content: bytes) -> NDArray[np.uint8]:
        image = source.decode(content)
        _, height, width = self._shape
        if self._job.image.size != "native":
            return fit_image(image, (height, width), self._job.image.fit)
        if (image.height, image.width) != (height, width):
            raise BadImage(f"has {image.height}x{image.width} pixels, size native was planned as {height}x{width}")
        return native_pixels(image)
