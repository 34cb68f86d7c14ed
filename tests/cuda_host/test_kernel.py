"""What a GPU would misread without a word, the host refuses."""

import numpy as np
import pytest

from tests.cuda_host.array import as_host
from tests.cuda_host.device import HostDevice
from tests.cuda_host.marks import needs_compiler

pytestmark = needs_compiler

SOURCE = """
extern "C" __global__ void scale(const float* x, float factor, int count, long long unused, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = factor * x[i];
}
"""


@pytest.fixture
def scale():
    device = HostDevice(read=lambda name: SOURCE)
    kernel = device.kernel("scale.cu", "scale", (), 64 * 1024)

    def call(position=None, value=None, **launch):
        y = as_host(np.zeros(40, np.float32))
        given = [as_host(np.arange(40, dtype=np.float32)), np.float32(2), np.int32(40), np.int64(0), y]
        if position is not None:
            given[position] = value
        how = {"grid": (2,), "block": (32,)} | launch
        kernel(how.pop("grid"), how.pop("block"), tuple(given), **how)
        return y.get()

    return call


def test_a_launch_as_cupy_has_it(scale):
    np.testing.assert_array_equal(scale(), 2 * np.arange(40))
    np.testing.assert_array_equal(scale(grid=(2, 1, 1), block=(32, 1)), 2 * np.arange(40))


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, np.zeros(40, np.float32)),  # of the host
        (0, as_host(np.zeros(80, np.float32))[::2]),
        (0, np.float32(1)),
        (1, 2.0),
        (1, np.float64(2)),
        (2, 40),
        (2, np.int64(40)),
        (3, np.int32(0)),
        (3, as_host(np.zeros(1, np.int64))),
    ],
    ids=str,
)
def test_an_argument_of_another_kind_is_refused(scale, position, value):
    with pytest.raises(TypeError, match=f"scale, argument {position}"):
        scale(position, value)


def test_launches_that_no_gpu_starts_are_refused(scale):
    with pytest.raises(RuntimeError, match="1 to 1024 threads"):
        scale(block=(1025,))
    with pytest.raises(RuntimeError, match="shared memory at launch"):
        scale(shared_mem=64 * 1024 + 4)
    with pytest.raises(RuntimeError, match="the device has 1000"):
        HostDevice(shared_bytes=1000).kernel("color.cu", "smooth_color", (), 1001)
    with pytest.raises(TypeError, match="takes 5 arguments, got 1"):
        HostDevice(read=lambda name: SOURCE).kernel("scale.cu", "scale")((1,), (1,), (np.int32(1),))


def test_memory_that_nobody_filled_is_nan():
    assert np.isnan(HostDevice().xp.empty((3, 4))).all()
