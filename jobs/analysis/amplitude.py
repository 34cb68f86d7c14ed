"""The mean amplitude spectrum of images: how strong the data itself is at each frequency."""

import numpy as np
import scipy  # its parts are imported when first used
from numpy.typing import NDArray

from passband.kernels.cpu.pixels import to_float
from passband.kernels.cpu.threads import get_num_threads

Floats = NDArray[np.float64]
_AT_ONCE = 256


class MeanAmplitude:
    """D(i, j): the unnormalised FFT amplitude, averaged over images and channels as they are added.

    Notes
    -----
    Summed image by image in float64, so that no bit depends on how the images come in batches. Zhang et al. 2023,
    "When neural networks fail to generalize? A model sensitivity perspective", eq. 4.
    """

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        self._total = np.zeros((height, width // 2 + 1))
        self._planes = 0

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Take in (N, H, W, C) uint8."""
        images = to_float(pixels).astype(np.float64)
        spectra = scipy.fft.rfft2(images, workers=get_num_threads()).reshape(-1, *self._total.shape)
        for amplitude in np.sqrt(spectra.real**2 + spectra.imag**2):
            self._total += amplitude
        self._planes += len(spectra)

    def value(self) -> Floats:
        """Return the mean so far, images in [0, 1]: (H, W) in FFT layout."""
        (height, width), half = self._size, self._total / self._planes
        rows, columns = -np.arange(height) % height, np.arange(width - width // 2 - 1, 0, -1)
        return np.concatenate([half, half[rows][:, columns]], axis=1)


def mean_amplitude(pixels: NDArray[np.uint8]) -> Floats:
    """Return the mean amplitude of (N, H, W, C) uint8 images: (H, W) in FFT layout."""
    amplitude = MeanAmplitude(*pixels.shape[1:3])
    for start in range(0, len(pixels), _AT_ONCE):
        amplitude.add(pixels[start : start + _AT_ONCE])
    return amplitude.value()
