"""Second step of a shard: clean pixels in, all views out."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.generation.blueprint import Blueprint, open_sources
from jobs.generation.clock import Clock
from jobs.generation.inputs import Contents
from jobs.generation.plan import PlanRow, random_key
from jobs.generation.reading import Batch
from kernels import backend
from pipeline.augment import Draws, Stage
from pipeline.augment.draws import BASE_VIEW
from pipeline.errors import PassbandError

NO_SEVERITY = -1
_LARGEST_BATCH = 2**21
"""Values of a batch of images that is made larger than was asked for: 682 images of 32 x 32, 13 of 224 x 224."""


@dataclass
class Views:
    """The views of a batch.

    Attributes
    ----------
    stored : list of (N, H, W, 3) uint8 or float16, one a view; number 0 is clean
    recorded : column -> (N, ...) what was drawn, for the provenance
    severity : (N,) int64, -1 where no stage of the base sets one
    """

    stored: list[NDArray[Any]]
    recorded: dict[str, NDArray[Any]]
    severity: NDArray[np.int64]


class StageError(PassbandError):
    """A stage that failed on a batch; the message names view, stage, samples and cause."""


@dataclass
class _Chain:
    """State of one chain of stages over one batch."""

    images: NDArray[np.float32]
    recorded: dict[str, NDArray[Any]] = field(default_factory=dict)
    severity: NDArray[np.int64] | None = None


class Augmenter:
    """Applies the base and every view's recipe.

    Parameters
    ----------
    contents : reference -> content of the blueprint's inputs
    """

    def __init__(self, blueprint: Blueprint, contents: Contents) -> None:
        self._kernels = backend(blueprint.environment["backend"])
        self._base, *self._views = blueprint.stages(self._kernels, contents)
        self._shape = blueprint.shape
        self._key = random_key(open_sources(blueprint.job), blueprint.job.seed)

    def batch_size(self, asked: int) -> int:
        """Return how many samples come at once: more than asked where a stage gains by it, a shard's if they fit."""
        stages = [stage for recipe in (self._base, *self._views) for stage in recipe]
        if not any(stage.whole_shards for stage in stages):
            return asked
        return max(asked, _LARGEST_BATCH // math.prod(self._shape))

    def warm_up(self) -> None:
        """Run every stage on one black image, so that compilation is paid before a shard's time is counted."""
        row = PlanRow(index=0, key="", label=0, domain=0, source=0, offset=0, sha256=b"")
        self.apply(Batch([row], np.zeros((1, *self._shape[1:], self._shape[0]), np.uint8), []), Clock())

    def apply(self, batch: Batch, clock: Clock) -> Views:
        """Make all views of `batch`; each is a function of the clean image as it is stored."""
        severity = np.full(len(batch.rows), NO_SEVERITY, np.int64)
        clean, recorded = batch.pixels, {}
        if self._base:
            chain = self._run(self._base, self._float(clean), batch, BASE_VIEW, "base", clock)
            clean, recorded = self._round(chain.images), chain.recorded
            severity = severity if chain.severity is None else chain.severity
        stored: list[NDArray[Any]] = [clean]
        images = self._float(clean) if len(self._views) > 1 else None
        for number, stages in enumerate(self._views[1:], start=1):
            assert images is not None
            chain = self._run(stages, images, batch, number, f"view{number}", clock)
            with clock.step("round"):
                stored.append(self._store(stages[-1], chain.images))
            recorded |= chain.recorded
        return Views(stored, recorded, severity)

    def _run(
        self, stages: list[Stage], images: NDArray[np.float32], batch: Batch, view: int, name: str, clock: Clock
    ) -> _Chain:
        chain = _Chain(images)
        draws = Draws(self._key, batch.indices, view)
        for position, stage in enumerate(stages):
            try:
                with clock.step(stage.name):
                    result = stage.apply(chain.images, batch.labels, draws.at(position=position))
            except (ValueError, ArithmeticError) as error:
                first, last = batch.rows[0].key, batch.rows[-1].key
                raise StageError(f"{name}: {stage.name} on samples {first!r} to {last!r}: {error}") from error
            chain.images = result.images
            chain.severity = chain.severity if result.severity is None else result.severity
            for key, values in result.recorded.items():
                chain.recorded[f"{name}.{position}.{stage.name}.{key}"] = values
        return chain

    def _float(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        images: NDArray[np.float32] = self._kernels.to_float(pixels)
        return images

    def _round(self, images: NDArray[np.float32]) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = self._kernels.to_uint8(images)
        return pixels

    def _store(self, last: Stage, images: NDArray[np.float32]) -> NDArray[Any]:
        if last.stores_float:
            halves = np.ascontiguousarray(images.transpose(0, 2, 3, 1).astype(np.float16))
            if not np.isfinite(halves).all():
                raise StageError(f"{last.name}: a value does not fit half precision; use range minmax, shift or clip")
            return halves
        return self._round(images)
