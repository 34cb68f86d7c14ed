"""Digital faults of the common corruptions in float32; a pixel depends on the processor in no bit."""

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_float32
from kernels.cpu.chunks import in_chunks

Images = NDArray[np.float32]


def scale_contrast(images: Images, factor: float) -> Images:
    """Scale every channel's distance from its mean over the image.

    Parameters
    ----------
    images : (N, C, H, W) float32
    factor : float

    Returns
    -------
    (N, C, H, W) float32, not clipped
    """

    def scale_chunk(chunk: Images, out: Images) -> None:
        # Running sums: their order is that of the pixels, whatever the width of a vector.
        rows = chunk.reshape(*chunk.shape[:2], -1)
        total = np.cumsum(rows, axis=2, dtype=np.float64)[..., -1, None, None]
        mean = (total / rows.shape[2]).astype(np.float32)
        np.subtract(chunk, mean, out=out)
        out *= np.float32(factor)
        out += mean

    return in_chunks(scale_chunk, check_float32(images))
