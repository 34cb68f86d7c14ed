"""Weather of the common corruptions in float32; a pixel depends on the processor in no bit."""

import numpy as np
from numpy.typing import NDArray

from kernels.checks import check_float32
from kernels.cpu.chunks import in_chunks

Images = NDArray[np.float32]


def brighten(images: Images, amount: float) -> Images:
    """Raise the value of every pixel in HSV by `amount`, hue and saturation kept.

    Parameters
    ----------
    images : (N, C, H, W) float32 in [0, 1]
    amount : float

    Returns
    -------
    (N, C, H, W) float32 in [0, 1], to rounding

    Notes
    -----
    See `kernels.reference.brighten`: the channels are proportional to the value.
    """

    def brighten_chunk(chunk: Images, out: Images) -> None:
        value = chunk.max(axis=1, keepdims=True)
        raised = np.clip(value + np.float32(amount), 0, 1)
        black = value == 0
        np.divide(chunk, np.where(black, np.float32(1), value), out=out)
        out *= raised
        np.copyto(out, raised, where=black)

    return in_chunks(brighten_chunk, check_float32(images))
