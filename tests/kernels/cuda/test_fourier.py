"""The FFT route: every transform of a size is of as many planes, whatever the batch, and chunks fit each other."""

import numpy as np
import pytest

from passband.kernels import cuda, reference
from passband.kernels.cuda import fourier
from passband.kernels.cuda.device import use
from tests.cuda_host.device import HostDevice

OPERATORS = {
    "radial": lambda k, x: k.radial_filter(x, 1, 5),
    "phase": lambda k, x: k.phase_only(x),
    "there and back": lambda k, x: k.from_half_spectrum(k.half_spectrum(x), x.shape[3]),
    "step": lambda k, x: k.ascend_spectrum(k.half_spectrum(x), x[::-1] - np.float32(0.5), weights(x), 0.3),
}


def weights(images):
    return np.ones((images.shape[2], images.shape[3] // 2 + 1), np.float32)


class Recorder:
    """An FFT module that notes how many planes each call gets."""

    def __init__(self, module):
        self.module, self.planes = module, []

    def __getattr__(self, name):
        def call(array, **options):
            self.planes.append(len(array))
            return getattr(self.module, name)(array, **options)

        return call


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("name", OPERATORS)
def test_every_transform_is_of_as_many_planes(monkeypatch, name, count):
    monkeypatch.setattr(fourier, "MOST_PLANES", 6)
    images = np.random.default_rng(0).random((count, 2, 12, 9), dtype=np.float32)
    with use(HostDevice()) as device:
        device.fft = recorder = Recorder(device.fft)
        result = device.asnumpy(OPERATORS[name](cuda, images))
    assert set(recorder.planes) == {6}
    assert len(recorder.planes) == 2 * -(-count * 2 // 6)  # there, and back or the gradient there
    expected = OPERATORS[name](reference, images)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 * max(1, np.abs(expected).max()))


def test_a_batch_fills_a_cache_or_is_small():
    assert fourier.at_a_time(224, 224) * 4 * 224 * 224 <= fourier.CHUNK_BYTES
    assert fourier.at_a_time(4096, 4096) == 1
    assert fourier.at_a_time(1, 1) == fourier.MOST_PLANES
