"""A corruption: every other row of pixels is darker."""

from passband.pipeline.augment.corruption import TABLES, Corruption


def stripes(images, constants, draws, kernels):
    """Darken rows 0, 2, 4 ...; constants: by which share."""
    (share,) = constants
    darker = images.copy()
    darker[:, :, ::2] *= 1 - share
    return darker


STRIPES = Corruption(stripes, dict.fromkeys(TABLES, ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,))), number=100)
