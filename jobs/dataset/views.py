"""Second step of a shard: clean pixels in, all views out."""

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.dataset.blueprint import Blueprint, open_sources
from passband.jobs.dataset.clock import Clock
from passband.jobs.dataset.inputs import Contents
from passband.jobs.dataset.plan import PlanRow, random_key
from passband.jobs.dataset.reading import Batch
from passband.jobs.dataset.transfer import Later, open_transfer
from passband.kernels import backend
from passband.pipeline.augment import Draws, Stage
from passband.pipeline.augment.base import RoundedResult, StageResult
from passband.pipeline.augment.draws import BASE_VIEW
from passband.pipeline.errors import PassbandError

NO_SEVERITY = -1


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

    def part(self, start: int, stop: int) -> "Views":
        """Return the views of some of the samples; the pixels are the same, not copies."""
        recorded = {name: values[start:stop] for name, values in self.recorded.items()}
        return Views([pixels[start:stop] for pixels in self.stored], recorded, self.severity[start:stop])


class StageError(PassbandError):
    """A stage that failed on a batch; the message names view, stage, samples and cause."""


@dataclass
class _Chain:
    """State of one chain of stages over one batch."""

    images: NDArray[np.float32]
    recorded: dict[str, NDArray[Any]] = field(default_factory=dict)
    severity: NDArray[np.int64] | None = None
    rounded: RoundedResult | None = None


class Started:
    """Views that a device may still be working on; `result` waits for them."""

    def __init__(self, later: Callable[[], Views]) -> None:
        self._later: Callable[[], Views] | None = later
        self._views: Views | None = None

    @property
    def is_done(self) -> bool:
        """Whether the views are there."""
        return self._later is None

    def result(self) -> Views:
        """Return the views; what they waited for is let go."""
        if self._later is not None:
            self._views, self._later = self._later(), None
        assert self._views is not None
        return self._views


class Augmenter:
    """Applies the base and every view's recipe.

    Parameters
    ----------
    contents : reference -> content of the blueprint's inputs

    Attributes
    ----------
    notes : list of str
        What a person should know of the batches so far, such as that memory did not suffice.
    """

    def __init__(self, blueprint: Blueprint, contents: Contents) -> None:
        name = blueprint.environment["backend"]
        self._kernels = backend(name)
        self._transfer = open_transfer(name, self._kernels)
        self._most: int | None = None
        self._under_way: deque[Started] = deque()
        self.notes: list[str] = []
        with self._transfer.working():
            self._base, *self._views = blueprint.stages(self._kernels, contents)
        self._shape = blueprint.shape
        self._key = random_key(open_sources(blueprint.job), blueprint.job.seed)

    def warm_up(self) -> None:
        """Run every stage on one black image, so that compilation is paid before a shard's time is counted."""
        row = PlanRow(index=0, key="", label=0, domain=0, source=0, offset=0, sha256=b"")
        self.apply(Batch([row], np.zeros((1, *self._shape[1:], self._shape[0]), np.uint8), []), Clock())

    @property
    def device(self) -> str | None:
        """Name of the device that the kernels run on; None for the CPU."""
        return self._transfer.device

    def take_notes(self) -> list[str]:
        """Return the notes since the last call."""
        taken, self.notes = self.notes, []
        return taken

    @property
    def in_flight(self) -> int:
        """Batches to start before the first of them is asked for."""
        return self._transfer.in_flight

    def apply(self, batch: Batch, clock: Clock) -> Views:
        """Make all views of `batch`; each is a function of the clean image as it is stored."""
        return self.start(batch, clock).result()

    def start(self, batch: Batch, clock: Clock) -> Started:
        """Begin to make all views of `batch`, in halves where memory does not suffice for the whole."""
        if self._most is not None and len(batch.rows) > self._most:
            return self._start_halves(batch, clock)
        started = self._try(batch, clock)
        if started is None:
            self._settle()
            return self._start_halves(batch, clock)
        if self.in_flight > 1:
            self._under_way = deque(earlier for earlier in (*self._under_way, started) if not earlier.is_done)
        return started

    def abandon(self) -> None:
        """Let go the batches that were started and will not be asked for."""
        self._under_way.clear()
        self._transfer.abandon()

    def _try(self, batch: Batch, clock: Clock) -> Started | None:
        """Begin, or return None where memory does not suffice: only then is the error gone, which holds every array."""
        try:
            return self._begin(batch, clock)
        except self._transfer.out_of_memory as error:
            if len(batch.rows) < 2:
                of = "memory" if self.device is None else "memory of the device"
                raise StageError(f"{of} does not suffice for one sample: {error}") from error
            self._most = (len(batch.rows) + 1) // 2
            self.notes.append(f"out of memory with {len(batch.rows)} samples at once; from now on {self._most}")
            return None

    def _settle(self) -> None:
        """Finish what was started, so that its memory is free, and that of what could not be started."""
        while self._under_way:
            self._under_way.popleft().result()
        self._transfer.abandon()
        self._transfer.free()

    def _start_halves(self, batch: Batch, clock: Clock) -> Started:
        middle = (len(batch.rows) + 1) // 2
        halves = batch.part(0, middle), batch.part(middle, len(batch.rows))
        parts = [self.start(half, clock).result() for half in halves]
        return Started(lambda: _joined(parts))

    def _begin(self, batch: Batch, clock: Clock) -> Started:
        severity = np.full(len(batch.rows), NO_SEVERITY, np.int64)
        with self._transfer.working():
            with self._moving(clock, "upload"):
                clean, recorded = self._transfer.upload(batch.pixels), {}
            stored: list[Later] = [lambda: batch.pixels]
            if self._base:
                chain = self._run(self._base, self._float(clean), batch, BASE_VIEW, "base", clock)
                clean, stored[0] = self._transfer.round(chain.images)
                recorded = chain.recorded
                severity = severity if chain.severity is None else chain.severity
                del chain  # its images go before the next are made
            images = self._float(clean) if len(self._views) > 1 else None
            for number, stages in enumerate(self._views[1:], start=1):
                assert images is not None
                chain = self._run(stages, images, batch, number, f"view{number}", clock)
                with clock.step("round"):
                    stored.append(self._store(stages[-1], chain))
                recorded |= chain.recorded
                del chain
        return Started(lambda: self._finish(stored, recorded, severity, clock))

    def _finish(
        self, stored: list[Later], recorded: dict[str, NDArray[Any]], severity: NDArray[np.int64], clock: Clock
    ) -> Views:
        with self._moving(clock, "download"):
            views = Views([later() for later in stored], recorded, severity)
        self._transfer.finished()
        return views

    def _moving(self, clock: Clock, step: str) -> AbstractContextManager[None]:
        """Count the time of a way to or from a device; on the CPU there is none."""
        return nullcontext() if self.device is None else clock.step(step)

    def _run(
        self, stages: list[Stage], images: NDArray[np.float32], batch: Batch, view: int, name: str, clock: Clock
    ) -> _Chain:
        chain = _Chain(images)
        draws = Draws(self._key, batch.indices, view)
        for position, stage in enumerate(stages):
            given = chain.images, batch.labels, draws.at(position=position)
            is_stored = view != BASE_VIEW and position == len(stages) - 1
            try:
                with clock.step(stage.name):
                    if is_stored and (rounded := stage.apply_rounded(*given)) is not None:
                        chain.rounded, result = rounded, StageResult(chain.images, rounded.recorded)
                    else:
                        result = stage.apply(*given)
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

    def _store(self, last: Stage, chain: _Chain) -> Later:
        if chain.rounded is not None:
            return self._transfer.bring(chain.rounded.pixels, chain.rounded.first_bad)
        if not last.stores_float:
            return self._transfer.round(chain.images)[1]
        later = self._transfer.download(chain.images.transpose(0, 2, 3, 1).astype(np.float16, order="C"))

        def halves() -> NDArray[Any]:
            found = later()
            if not np.isfinite(found).all():
                raise StageError(f"{last.name}: a value does not fit half precision; use range minmax, shift or clip")
            return found

        return halves


def _joined(parts: list[Views]) -> Views:
    """Return the views of two halves of a batch as one."""
    first, second = parts
    return Views(
        [np.concatenate(pair) for pair in zip(first.stored, second.stored, strict=True)],
        {name: np.concatenate([values, second.recorded[name]]) for name, values in first.recorded.items()},
        np.concatenate([first.severity, second.severity]),
    )
