"""Mean log-amplitude spectra of views, and their radial profile.

Arrays: v view, h and w pixels or frequencies; ``c`` channels come last in stored views.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy  # its parts are imported when first used
from numpy.typing import NDArray

Spectra = NDArray[np.float64]


class MeanSpectra:
    """Adds up the log-amplitude spectra of samples, one sum a view; holds no sample."""

    def __init__(self) -> None:
        self.samples = 0
        self._sum_vhw: Spectra | None = None

    def add(self, views: Sequence[NDArray[Any]]) -> None:
        """Add one sample.

        Parameters
        ----------
        views : V arrays (H, W, C), uint8 or floating; the same H and W as before
        """
        spectra_vhw = np.stack([log_amplitude(view) for view in views])
        self._sum_vhw = spectra_vhw if self._sum_vhw is None else self._sum_vhw + spectra_vhw
        self.samples += 1

    def mean(self) -> Spectra | None:
        """Return (V, H, W), zero frequency at (H // 2, W // 2); None if no sample was added."""
        if self._sum_vhw is None:
            return None
        return scipy.fft.fftshift(self._sum_vhw / self.samples, axes=(1, 2))


def log_amplitude(view_hwc: NDArray[Any]) -> Spectra:
    """Return log(1 + A) of one view, averaged over its channels.

    Parameters
    ----------
    view_hwc : (H, W, C)
        uint8 counts as [0, 1]; floating values as they are.

    Returns
    -------
    (H, W) float64, zero frequency at (0, 0). A is the amplitude of the unnormalised discrete Fourier transform; the 1
    keeps frequencies that a filter has emptied at 0.
    """
    pixels = view_hwc.astype(np.float32)
    if view_hwc.dtype == np.uint8:
        pixels /= 255
    amplitude = np.abs(scipy.fft.fft2(pixels, axes=(0, 1)))
    return np.log1p(amplitude).mean(axis=2, dtype=np.float64)


def radial_profile(spectra_vhw: Spectra) -> Spectra:
    """Average centred spectra over rings around zero frequency.

    Returns
    -------
    (V, R) float64; ring r holds the frequencies at distance r <= d < r + 1, in bins, as radial filters count them.
    Every ring up to the corner of the spectrum holds at least one.
    """
    _, height, width = spectra_vhw.shape
    v, u = np.ogrid[:height, :width]
    distance = np.hypot(v - height // 2, u - width // 2)
    ring = np.floor(distance).astype(np.intp).ravel()
    rings, ring = np.unique(ring, return_inverse=True)
    number = np.bincount(ring)
    sums = [np.bincount(ring, weights=spectrum.ravel()) for spectrum in spectra_vhw]
    profile = np.full((len(spectra_vhw), int(rings[-1]) + 1), np.nan)
    profile[:, rings] = np.array(sums) / number
    return profile
