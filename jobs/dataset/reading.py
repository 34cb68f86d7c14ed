"""First step of a shard: rows of the plan in, pixels of one size out; bad images leave a gap."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from passband.jobs.dataset.blueprint import Blueprint, open_sources, source_key
from passband.jobs.dataset.clock import Clock
from passband.jobs.dataset.kept import Kept
from passband.jobs.dataset.plan import PlanRow
from passband.pipeline.errors import IntegrityError
from passband.pipeline.images import BadImage, fit_image, native_pixels
from passband.pipeline.records import BadSample
from passband.pipeline.sources import Entry, Source, SourceError


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


def _read(source: Source, entries: Sequence[Entry]) -> list[bytes]:
    """Read from a source; its OSErrors are not those of the output, and another try may help."""
    try:
        return source.read(entries) if entries else []
    except OSError as error:
        raise SourceError(f"source {source.kind}: cannot read {entries[0].key!r} or one after it: {error}") from error


def _without(bad: Mapping[int, str], rows: Sequence[PlanRow], pixels: NDArray[np.uint8]) -> Batch:
    """Return the batch of all samples but the bad ones; `bad` tells the reason by the position."""
    if not bad:
        return Batch(list(rows), pixels, [])
    kept = [at for at in range(len(rows)) if at not in bad]
    told = [BadSample(index=rows[at].index, key=rows[at].key, reason=bad[at]) for at in sorted(bad)]
    return Batch([rows[at] for at in kept], pixels[kept], told)


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
        pixels = np.empty((len(rows), *self._shape[1:], self._shape[0]), np.uint8)
        bad: dict[int, str] = {}  # position -> reason
        for position, source in enumerate(self._sources):
            own = {at: row for at, row in enumerate(rows) if row.source == position}
            for contents in self._contents(source, own, clock, known or Kept()):
                with clock.step("decode"):
                    bad |= self._fill(source, contents, own, pixels)
        return _without(bad, rows, pixels)

    def _contents(
        self, source: Source, own: Mapping[int, PlanRow], clock: Clock, known: Kept
    ) -> Iterator[dict[int, bytes]]:
        """Yield the encoded images of a source by their position in the batch, no more at a time than fit in memory."""
        given = ((at, known.take(row.source, row.key)) for at, row in own.items())
        found = {at: content for at, content in given if content is not None}
        left = [at for at in own if at not in found]
        yield found
        found.clear()
        entries = [Entry(source_key(self._job, own[at].key), own[at].label, own[at].offset) for at in left]
        places = iter(left)
        for part in source.parts(entries):
            with clock.step("read"):
                contents = dict(zip(islice(places, len(part)), _read(source, part), strict=True))
            yield contents
            contents.clear()  # or two parts would be held while the next one is read

    def _fill(
        self, source: Source, contents: Mapping[int, bytes], own: Mapping[int, PlanRow], pixels: NDArray[np.uint8]
    ) -> dict[int, str]:
        """Check and decode images into their places; return the reasons of the bad ones by place."""
        bad: dict[int, str] = {}
        for place, content in contents.items():
            if hashlib.sha256(content).digest() != own[place].sha256:
                raise IntegrityError(f"sample {own[place].key!r} of the source changed after the plan was made")
            try:
                pixels[place] = self._decode(source, content)
            except BadImage as error:
                bad[place] = error.reason
        return bad

    def _decode(self, source: Source, content: bytes) -> NDArray[np.uint8]:
        image = source.decode(content)
        _, height, width = self._shape
        if self._job.image.size != "native":
            return fit_image(image, (height, width), self._job.image.fit)
        if (image.height, image.width) != (height, width):
            raise BadImage(f"has {image.height}x{image.width} pixels, size native was planned as {height}x{width}")
        return native_pixels(image)
