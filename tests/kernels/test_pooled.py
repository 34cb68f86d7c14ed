"""The gradient by a convolution's input, through rectifier and pooling, against autograd's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from passband.kernels.cpu.pooled import list_places, scatter_pooled


def scattered(gradient, pooled, chosen, weights, shape, *, planar):
    """Return the gradient by an input of `shape`, (N, C, H, W)."""
    count, channels, height, width = shape
    outputs, _, _, columns = weights.shape
    arranged = weights.transpose(0, 2, 3, 1).reshape(outputs, weights.shape[2], columns * channels)
    padded = np.pad(arranged, ((0, 0), (0, 0), (0, -arranged.shape[2] % 8)))
    sources, targets = np.full((2, count, pooled[0].size), -1, np.int32)
    ends = np.full((count, outputs), -1, np.int32)
    pooled, chosen = (values.reshape(count, outputs, -1) for values in (pooled, chosen))
    list_places(sources, targets, ends, pooled, chosen, (height, width, channels, columns), planar)
    given = gradient if planar else gradient.transpose(0, 2, 3, 1)
    out = np.full(count * height * width * channels + 8, np.nan, np.float32)
    given = np.ascontiguousarray(given.reshape(count, -1))
    scatter_pooled(out, given, sources, targets, ends, padded, width * channels)
    return out[:-8].reshape(count, height, width, channels).transpose(0, 3, 1, 2), ends


@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize("taps", [(5, 5), (3, 3), (1, 4)], ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 9, 11), (1, 1, 6, 6), (3, 8, 7, 8), (2, 6, 14, 13)], ids=str)
def test_it_is_the_gradient(shape, taps, planar):
    rng = np.random.default_rng(5)
    weights = rng.standard_normal((4, shape[1], *taps)).astype(np.float32)
    images = torch.from_numpy(rng.standard_normal(shape).astype(np.float32)).requires_grad_()
    convolved = functional.conv2d(images, torch.from_numpy(weights))
    pooled, chosen = functional.max_pool2d(convolved.relu(), 2, return_indices=True)
    gradient = torch.from_numpy(rng.standard_normal(pooled.shape).astype(np.float32))
    (expected,) = torch.autograd.grad(pooled, images, gradient)
    arrays = (values.detach().numpy() for values in (gradient, pooled, chosen))
    found, ends = scattered(*arrays, weights, shape, planar=planar)
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)
    np.testing.assert_array_equal(ends[:, -1], (pooled > 0).flatten(1).sum(1))
    assert (pooled == 0).any() or shape[2] == 6  # places are left out, but in the smallest


def test_where_nothing_is_positive_nothing_goes_back():
    shape, weights = (1, 2, 8, 8), np.ones((3, 2, 3, 3), np.float32)
    pooled, chosen = np.zeros((1, 3, 3, 3), np.float32), np.zeros((1, 3, 3, 3), np.int64)
    found, ends = scattered(np.ones_like(pooled), pooled, chosen, weights, shape, planar=True)
    assert not found.any()
    assert not ends.any()
