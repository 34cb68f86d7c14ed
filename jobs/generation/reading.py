"""First step of a shard: rows of the plan in, pixels of one size out; bad images leave a gap."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from jobs.generation.blueprint import Blueprint, open_sources, source_key
from jobs.generation.clock import Clock
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

    def read(self, rows: Sequence[PlanRow], clock: Clock) -> Batch:
        """Return the samples of `rows`.

        Raises
        ------
        IntegrityError
            If the source no longer holds the bytes that were planned; it names the sample.
        """
        pixels = np.empty((len(rows), *self._shape[1:], self._shape[0]), np.uint8)
        bad: dict[int, str] = {}  # position -> reason
        for position, source in enumerate(self._sources):
            own = [at for at, row in enumerate(rows) if row.source == position]
            entries = [Entry(source_key(self._job, rows[at].key), rows[at].label, rows[at].offset) for at in own]
            places = iter(own)
            for part in source.parts(entries):
                bad |= self._fill(source, part, [(at, rows[at]) for at in islice(places, len(part))], pixels, clock)
        return _without(bad, rows, pixels)

    def _fill(
        self,
        source: Source,
        entries: Sequence[Entry],
        rows: Sequence[tuple[int, PlanRow]],
        pixels: NDArray[np.uint8],
        clock: Clock,
    ) -> dict[int, str]:
        """Read, check and decode some entries into their places; return the reasons of the bad ones by place."""
        bad: dict[int, str] = {}
        with clock.step("read"):
            contents = _read(source, entries)
        with clock.step("decode"):
            for (place, row), content in zip(rows, contents, strict=True):
                if hashlib.sha256(content).digest() != row.sha256:
                    raise IntegrityError(f"sample {row.key!r} of the source changed after the plan was made")
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
