"""The images of an analysis: exactly those that a generation job would store as clean."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.common.jobfile import JobError
from passband.jobs.dataset.blueprint import Blueprint, draft, open_sources
from passband.jobs.dataset.clock import Clock
from passband.jobs.dataset.environment import current_environment
from passband.jobs.dataset.inputs import check_inputs, read_contents
from passband.jobs.dataset.plan import PlanRow, make_plan, random_key
from passband.jobs.dataset.reading import Reader
from passband.jobs.dataset.views import Augmenter

Pixels = NDArray[np.uint8]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class SourceImages:
    """The samples of a plan, their pixels still unread.

    Attributes
    ----------
    blueprint : of the job of kind generate
    table : rows of the plan
    """

    blueprint: Blueprint
    table: pa.Table

    @property
    def key(self) -> int:
        """The 64-bit key of the random streams."""
        return random_key(open_sources(self.blueprint.job), self.blueprint.job.seed)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Label of each sample."""
        return self.table["label"].to_numpy().astype(np.int64)

    @cached_property
    def indices(self) -> NDArray[np.uint32]:
        """Plan index of each sample."""
        return self.table["index"].to_numpy().astype(np.uint32)

    def readable(self, size: int) -> "SourceImages":
        """Return the images that can be read; raise JobError where more cannot than the job's `bad_images`."""
        reader, clock, good, bad = Reader(self.blueprint), Clock(), [], []
        for start in range(0, len(self.labels), size):
            rows = [PlanRow(**row) for row in self.table.slice(start, size).to_pylist()]
            batch = reader.read(rows, clock)
            good += [row.index for row in batch.rows]
            bad += batch.bad
        if len(bad) > self.blueprint.job.bad_images:
            told = "; ".join(f"{entry.key}: {entry.reason}" for entry in bad[:5])
            raise JobError(
                f"{len(bad)} images cannot be read, bad_images allows {self.blueprint.job.bad_images}: {told}"
            )
        return SourceImages(self.blueprint, self.table.take(pa.array(good)))

    def batches(self, positions: Positions, size: int) -> Iterator[tuple[Positions, Pixels]]:
        """Yield the positions and pixels, (M, H, W, C), of the samples at `positions`, `size` at a time.

        Raises
        ------
        JobError
            If one of them cannot be read; names it.
        """
        reader, augmenter, clock = Reader(self.blueprint), self._augmenter(), Clock()
        for start in range(0, len(positions), size):
            wanted = positions[start : start + size]
            batch = reader.read([PlanRow(**row) for row in self.table.take(pa.array(wanted)).to_pylist()], clock)
            if batch.bad:
                raise JobError(f"sample {batch.bad[0].key!r} of the source cannot be read: {batch.bad[0].reason}")
            yield wanted, augmenter.apply(batch, clock).stored[0]

    def _augmenter(self) -> Augmenter:
        return Augmenter(self.blueprint, read_contents(self.blueprint.inputs))


def list_images(job: AnalyzeJob, progress: Callable[[int], None] = lambda samples: None) -> SourceImages:
    """Plan the images of `job`: listed, hashed and in the order of a generation job's plan."""
    images = job.images()
    plan = make_plan(images, progress)
    drafted = draft(images, plan, current_environment(images))
    check_inputs(images, drafted.inputs, drafted.shape, drafted.classes, drafted.samples)
    return SourceImages(drafted, plan.table)
