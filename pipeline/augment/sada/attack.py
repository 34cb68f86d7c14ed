"""Algorithm 1 of SADA on half spectra: samples climb the surrogate's loss until its prediction turns.

Samples wait in one queue; each thread keeps a chunk of the surrogate's size full, and a sample that is done makes
room for the next (compaction). A sample's result is a function of itself alone, so the schedule changes no bit.

Layouts: images (N, C, H, W); spectra (N, C, H, K), K = W//2 + 1; weights (H, K) in FFT layout.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.surrogate.model import Surrogate

Images = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Integers = NDArray[np.int64]
Signs = Callable[[NDArray[np.intp], int], Images]
"""(rows, step) -> random signs of these samples at this step, (len(rows), C, H, K)."""


@dataclass(frozen=True)
class Attack:
    """How samples climb.

    Attributes
    ----------
    weight : (H, K) float32
        M: how far each frequency goes.
    steps, step_size : T and delta
    signs : callable or None
        In place of the gradient's, for the ablation.
    """

    surrogate: Surrogate
    kernels: ModuleType
    weight: Images
    steps: int
    step_size: float
    signs: Signs | None = None

    def run(self, spectra: Spectra, labels: Integers, avoided: Integers) -> tuple[Images, NDArray[np.uint16]]:
        """Attack N samples.

        Parameters
        ----------
        spectra : (N, C, H, K) complex64
            Of the images to begin with.
        labels : (N,) int64
            The loss is that of these.
        avoided : (N,) int64
            A sample is done when its prediction is another than this.

        Returns
        -------
        images : (N, C, H, W) float32 in [0, 1]
        taken : (N,) uint16
            Updates of each sample.
        """
        out = np.empty((len(spectra), *self.surrogate.shape), np.float32)
        taken = np.zeros(len(spectra), np.uint16)
        queue = _Queue(len(spectra))

        def climb(start: int, stop: int) -> None:
            chunk = _Chunk(self, spectra, labels, avoided, out, taken)
            while chunk.fill(queue):
                chunk.climb()

        threads = self.kernels.get_num_threads()
        self.kernels.for_ranges(climb, min(threads, -(-len(spectra) // self.surrogate.batch)), 1)
        return out, taken


class _Queue:
    """Hands each row to one thread."""

    def __init__(self, count: int) -> None:
        self._rows, self._lock = iter(range(count)), Lock()

    def take(self, most: int) -> list[int]:
        with self._lock:
            return list(islice(self._rows, most))


class _Chunk:
    """The samples that one thread has at work, each at a step of its own."""

    def __init__(
        self, attack: Attack, spectra: Spectra, labels: Integers, avoided: Integers, out: Images, taken: Any
    ) -> None:
        self._attack, self._all = attack, spectra
        self._labels, self._avoided, self._out, self._taken = labels, avoided, out, taken
        self._rows = np.zeros(0, np.intp)
        self._spectra = spectra[:0]

    def fill(self, queue: _Queue) -> bool:
        """Take samples until the chunk is full; say whether there is any."""
        attack = self._attack
        rows = np.array(queue.take(attack.surrogate.batch - len(self._rows)), np.intp)
        if len(rows):
            self._rows = np.concatenate([self._rows, rows])
            self._spectra = np.concatenate([self._spectra, self._all[rows]])
        return len(self._rows) > 0

    def climb(self) -> None:
        """Look at every sample once, let go those that are done, and take a step with the others."""
        attack, rows = self._attack, self._rows
        images = attack.kernels.from_half_spectrum(self._spectra, attack.surrogate.shape[2])
        ended = self._taken[rows] == attack.steps  # nothing follows, whatever the surrogate would say
        going, gradients = self._look(images, ended)
        done = np.ones(len(rows), np.bool_)
        done[going] = False
        self._out[rows[done]] = np.clip(images[done], 0, 1)
        self._rows, self._spectra = rows[going], self._stepped(rows[going], self._spectra[going], gradients)
        self._taken[self._rows] += 1

    def _look(self, images: Images, ended: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Images | None]:
        """Return which samples go on, and the gradients of these."""
        alive = np.flatnonzero(~ended)
        if not len(alive):
            return alive, None
        attack, rows = self._attack, self._rows[alive]
        looked_at = images if len(alive) == len(images) else images[alive]
        if attack.signs is None:
            predictions, gradients = attack.surrogate.attack(looked_at, self._labels[rows])
        else:
            predictions, gradients = attack.surrogate.predict(np.clip(looked_at, 0, 1)), None
        going = predictions == self._avoided[rows]
        return alive[going], None if gradients is None else gradients[going]

    def _stepped(self, rows: NDArray[np.intp], spectra: Spectra, gradients: Images | None) -> Spectra:
        attack = self._attack
        if not len(rows):
            return spectra
        if gradients is not None:
            return attack.kernels.ascend_spectrum(spectra, gradients, attack.weight, attack.step_size)
        assert attack.signs is not None
        steps = self._taken[rows]
        signs = np.empty(spectra.shape, np.float32)
        for step in _distinct(steps):
            chosen = steps == step
            signs[chosen] = attack.signs(rows[chosen], step)
        factors = np.float32(1) + np.float32(attack.step_size) * attack.weight * signs
        return attack.kernels.scale_spectrum(spectra, factors)


def _distinct(steps: NDArray[np.uint16]) -> Iterator[int]:
    return iter(sorted(set(steps.tolist())))
