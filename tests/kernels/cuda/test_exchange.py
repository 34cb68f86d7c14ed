"""Memory that torch and the kernels share, and copies beside the kernels."""

import weakref

import numpy as np
import pytest
import torch

from passband.kernels import cuda
from passband.kernels.cuda.staging import Staging


def test_a_tensor_is_the_arrays_own_memory(device):
    array = device.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    tensor = cuda.to_torch(array)
    assert tensor.device == torch.device(cuda.torch_device())
    with cuda.torch_stream():
        tensor *= 2
    np.testing.assert_array_equal(cuda.to_host(array), [[0, 2, 4], [6, 8, 10]])
    back = cuda.from_torch(tensor)
    back += 1
    np.testing.assert_array_equal(cuda.to_host(array), [[1, 3, 5], [7, 9, 11]])


def test_a_tensor_that_needs_a_gradient_comes_back_without(device):
    tensor = torch.ones(3, requires_grad=True, device=cuda.torch_device())
    np.testing.assert_array_equal(cuda.to_host(cuda.from_torch(tensor)), [1, 1, 1])


@pytest.mark.parametrize("count", [0, 1, 5])
def test_pixels_go_there_and_back(device, count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 4, 6, 3), np.uint8)
    staging, downloads = Staging(), []
    with staging.computing():
        for shift in range(3):  # all are under way before the first is asked for
            given = pixels + np.uint8(shift)
            there = staging.upload(given)
            given[...] = 0  # the caller's array is free at once
            downloads.append(staging.download(cuda.to_uint8(cuda.to_float(there))))
    for shift, download in enumerate(downloads):
        found = download.result()
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, pixels + np.uint8(shift))
    staging.forget(3)


def test_what_is_abandoned_is_held_until_its_copies_are_done(device):
    staging = Staging()
    with staging.computing():
        there = staging.upload(np.ones((2, 4, 6, 3), np.uint8))
        staging.download(there)  # nobody will ask for it
    held = weakref.ref(there)
    del there
    assert held() is not None
    staging.abandon()
    assert held() is None
