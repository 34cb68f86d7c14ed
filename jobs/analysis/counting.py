"""How often the frozen model is wrong when one frequency is added to images: noise, forward passes, counts.

A *pair* is one frequency added to one image. The pairs of a map stand in a list, frequency by frequency, and fill
batches in that order; a batch has a fixed place in the list, whichever block it is evaluated for. So no bit of a
forward pass depends on threads, workers or how the work was divided.

Layouts: images (N, C, H, W) float32, basis images (F, H, W) float32 in FFT layout of (i, j).
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.frequencies import distinct_frequencies, multiplicity
from passband.jobs.executors.here import stop_check
from passband.kernels import cpu
from passband.kernels.cpu.threads import for_ranges, get_num_threads

if TYPE_CHECKING:
    from passband.pipeline.surrogate.model import Surrogate

SIGN_VIEW = 2**32 - 3
"""View number in the address of the signs of the noise.

The stage word is ``map << 26 | i * W + j``: images have at most 8192 x 8192 = 2^26 frequencies, maps are numbered as
in `MAPS`. Word c of that stream is the sign of channel c by its highest bit. No other stage has this view, and every
(map, frequency, image, channel) a word of its own.
"""
_MAP_SHIFT = 26
MapName = Literal["original", "enhanced"]
MAPS: tuple[MapName, ...] = get_args(MapName)
Images = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Subject:
    """The images that are looked at, and the model that looks.

    Attributes
    ----------
    images : (N, C, H, W) float32 in [0, 1]
    labels : (N,) int64
    indices : (N,) uint32, plan indices
    key : 64 bits of the job's seed and source
    stride : of the grid of frequencies
    """

    images: Images
    labels: Integers
    indices: NDArray[np.uint32]
    key: int
    surrogate: "Surrogate"
    classes: int
    stride: int = 1

    @cached_property
    def frequencies(self) -> Integers:
        """The distinct (i, j): (K, 2)."""
        height, width = self.images.shape[2:]
        return distinct_frequencies(height, width, self.stride)

    @cached_property
    def answers(self) -> Integers:
        """What a prediction is held to, (N,) int64: the labels, or what the model says of the images as they are."""
        if not self.surrogate.own_labels:
            return self.labels
        found = np.empty(len(self.images), np.int64)

        def look(start: int, stop: int) -> None:
            found[start:stop] = self.surrogate.predict(self.images[start:stop])

        for_ranges(look, len(self.images), self.surrogate.batch)
        return found

    @property
    def pairs(self) -> int:
        """Length of the list of pairs."""
        return len(self.frequencies) * len(self.images)


@dataclass(frozen=True)
class Counts:
    """What a block of F frequencies came to.

    Attributes
    ----------
    wrong : (F, classes) int64, images of each class that are misclassified
    by_image : (N,) int64, entries of the map, of this block, that misclassify each image
    passes : forward passes
    seconds : that it took
    model_seconds : within the surrogate, of all threads together
    """

    wrong: Integers
    by_image: Integers
    passes: int
    seconds: float
    threads: int
    model_seconds: float


class _Noise:
    """The noise of frequencies first .. last - 1 of a map, ready to be added."""

    def __init__(self, subject: Subject, name: MapName, norms: NDArray[np.float64], first: int, last: int) -> None:
        self._images, self._first = subject.images, first
        channels, height, width = subject.images.shape[1:]
        chosen = subject.frequencies[first:last]
        self._basis = np.stack([cpu.fourier_basis(height, width, int(i), int(j)) for i, j in chosen])
        self._amplitudes = np.empty((len(chosen), len(subject.images), channels), np.float32)
        for row, (i, j) in enumerate(chosen.tolist()):
            stage = MAPS.index(name) << _MAP_SHIFT | i * width + j
            words = cpu.words(subject.key, subject.indices, SIGN_VIEW, stage, channels)
            self._amplitudes[row] = np.where(words >> 31, -norms[first + row], norms[first + row])

    def added(self, frequencies: Integers, rows: Integers) -> Images:
        """Return the images at `rows`, each with one frequency: (M, C, H, W), not clipped."""
        own = frequencies - self._first
        return cpu.add_basis(self._images, rows, self._basis, own, self._amplitudes[own, rows])


def count_wrong(subject: Subject, name: MapName, norms: NDArray[np.float64], start: int, stop: int) -> Counts:
    """Evaluate the distinct frequencies start .. stop - 1 of a map on all images, on all threads.

    Parameters
    ----------
    norms : (K,), l2 norm of the noise of each distinct frequency, in each channel

    Notes
    -----
    Noise r * norm * U_ij, r = +-1 by image and channel. Zhang et al. 2023, eq. 2 and 4. Not clipped.
    """
    began, batch, count = time.perf_counter(), subject.surrogate.batch, len(subject.images)
    first, last = start * count // batch, -(-stop * count // batch)
    end = min(last * batch, subject.pairs)
    noise = _Noise(subject, name, norms, first * batch // count, -(-end // count))
    wrong = np.zeros((last - first) * batch, np.bool_)
    spent, check, answers = np.zeros(last - first), stop_check(), subject.answers

    def evaluate(lowest: int, highest: int) -> None:
        for place in range(lowest, highest):
            check()
            begin = (first + place) * batch
            frequencies, rows = np.divmod(np.arange(begin, min(begin + batch, end)), count)
            images = noise.added(frequencies, rows)
            entered = time.perf_counter()
            predictions = subject.surrogate.predict(images)
            spent[place] = time.perf_counter() - entered
            wrong[place * batch : place * batch + len(rows)] = predictions != answers[rows]

    for_ranges(evaluate, last - first)
    own = wrong[start * count - first * batch :][: (stop - start) * count].reshape(stop - start, count)
    height, width = subject.images.shape[2:]
    weights = multiplicity(height, width, subject.stride)[start:stop, None]
    return Counts(
        wrong=np.stack([np.bincount(subject.labels[row], minlength=subject.classes) for row in own]),
        by_image=(weights * own).sum(0),
        passes=last - first,
        seconds=time.perf_counter() - began,
        threads=get_num_threads(),
        model_seconds=float(spent.sum()),
    )
