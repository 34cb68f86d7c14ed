"""Sensitivity maps: the error of a frozen model when one frequency is added to its images.

Zhang et al. 2023, "When neural networks fail to generalize? A model sensitivity perspective", eq. 2 and 4; METHODS 3.2.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.amplitude import mean_amplitude
from passband.jobs.analysis.counting import MapName, Subject, count_wrong
from passband.jobs.analysis.frequencies import centered_map, distinct_frequencies
from passband.jobs.analysis.subset import Strata, choose
from passband.kernels.cpu.pixels import to_float
from passband.kernels.cpu.threads import get_num_threads, set_num_threads
from passband.pipeline.surrogate.options import SensitivityOptions, SurrogateOptions

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]
_PASSES = 256
"""Forward passes that a block has at least, where there are so many frequencies."""


def compute_sensitivity(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.uint32],
    content: bytes,
    *,
    key: int,
    classes: Sequence[str],
    surrogate: SurrogateOptions,
    options: SensitivityOptions,
    maps: Sequence[MapName] = ("enhanced",),
    threads: int | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[str, Floats]:
    """Return sensitivity maps of images in memory; nothing is read or written.

    Parameters
    ----------
    pixels : (N, H, W, C) uint8
        All images of the source, as a generation job would store them clean.
    labels : (N,) int64
    indices : (N,) uint32
        Plan indices: the addresses of the signs, and of the shuffle that chooses a subset.
    content : bytes
        The surrogate's checkpoint.
    key : int
        64 bits, `jobs.dataset.plan.random_key` of the sources and the seed.
    classes : class names of the data
    threads : int or None
        None: as many as the process uses now. No bit of a map depends on it.
    progress : (frequencies done, frequencies)
        Called after every block of frequencies of any map; what it raises ends the call.

    Returns
    -------
    dict : map name -> (H, W) float64, centred, error rates in 0..1; symmetric under (i, j) -> (-i, -j)

    Raises
    ------
    NetworkError, JobError
        If the surrogate does not fit the images; if the subset cannot be drawn.
    ValueError
        If the stride is more than half of the images' shorter side.
    """
    from passband.pipeline.surrogate.loading import load_surrogate

    _, height, width, channels = pixels.shape
    options.check_stride(height, width)
    model = load_surrogate(content, surrogate, classes=classes, shape=(channels, height, width))
    chosen = choose(labels, indices, key, options.subset, len(classes))
    rows = chosen.rows
    with _threads(threads):
        amplitude = mean_amplitude(pixels) if "enhanced" in maps else None
        subject = Subject(to_float(pixels[rows]), labels[rows], indices[rows], key, model, len(classes), options.stride)
        blocks = block_ranges(len(subject.frequencies), len(rows), model.batch)
        found: dict[str, Floats] = {}
        for number, name in enumerate(maps):
            norms = noise_norms(name, options, amplitude, height, width)
            counts = []
            for start, stop in blocks:
                counts.append(count_wrong(subject, name, norms, start, stop).wrong)
                progress(number * len(norms) + stop, len(maps) * len(norms))
            found[name] = error_map(np.concatenate(counts), chosen.strata, height, width, options.stride)
    return found


def noise_norms(
    name: MapName, options: SensitivityOptions, amplitude: Floats | None, height: int, width: int
) -> Floats:
    """Return the l2 norm of the noise at each distinct frequency, in each channel: (K,).

    `amplitude` is the mean one, (H, W) in FFT layout; only the enhanced map needs it.
    """
    i, j = distinct_frequencies(height, width, options.stride).T
    if name == "original":
        return np.full(len(i), options.norm)
    assert amplitude is not None
    norms: Floats = options.scale * amplitude[i, j]
    return norms


def block_ranges(frequencies: int, images: int, batch: int, size: int | None = None) -> list[tuple[int, int]]:
    """Divide distinct frequencies into blocks of `size`, by default what takes about 256 forward passes."""
    size = size or max(1, -(-_PASSES * batch // images))
    return [(start, min(start + size, frequencies)) for start in range(0, frequencies, size)]


def error_map(wrong: NDArray[np.int64], strata: Strata, height: int, width: int, stride: int = 1) -> Floats:
    """Return the centred map, (H, W), of (K, classes) counts: error rates of the source, estimated from a subset."""
    rates = (wrong * strata.weights).sum(1) / strata.sizes.sum()
    return centered_map(rates, height, width, stride)


def mean_error(by_image: NDArray[np.int64], strata: Strata, labels: NDArray[np.int64], size: int) -> float | None:
    """Return the standard error, by the subset, of the mean l1 norm of a map of `size` entries.

    Notes
    -----
    The mean is over images, too: of the share of the map's entries at which an image is misclassified.
    """
    return strata.standard_error(by_image / size, labels)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = get_num_threads()
    set_num_threads(number or before)
    try:
        yield
    finally:
        set_num_threads(before)
