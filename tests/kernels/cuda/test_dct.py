"""Cosine transforms of large images, whose sums are long."""

import numpy as np
import pytest

from passband.kernels import cuda, reference


@pytest.mark.parametrize("shape", [(1, 1, 224, 224), (1, 2, 65, 130)], ids=str)
@pytest.mark.parametrize("keep", ["low", "high"])
def test_large_images_are_as_exact_as_small_ones(device, shape, keep):
    images = np.random.default_rng(0).random(shape, np.float32)
    found = device.asnumpy(cuda.dct_filter(images, 40, keep))
    np.testing.assert_allclose(found, reference.dct_filter(images, 40, keep), rtol=0, atol=1e-6)
    flipped = device.asnumpy(cuda.dct_flip(images))
    np.testing.assert_allclose(flipped, reference.dct_flip(images), rtol=0, atol=1e-6)
