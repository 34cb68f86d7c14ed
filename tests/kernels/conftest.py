import numpy as np
import pytest

from passband import kernels
from passband.kernels.cuda.device import current


@pytest.fixture(params=kernels.BACKENDS)
def backend(request):
    """Return each backend's package; that for CUDA runs on what ``--device`` names."""
    if request.param == "cuda":
        request.getfixturevalue("device")
    return kernels.backend(request.param)


@pytest.fixture(params=["reference", *kernels.BACKENDS])
def any_backend(request):
    """Return each backend's package, and the reference."""
    if request.param == "cuda":
        request.getfixturevalue("device")
    return kernels.backend(request.param)


def on_host(array):
    """Return a result as an array of NumPy."""
    return array if type(array) is np.ndarray else current().asnumpy(array)


class OnHost:
    """A backend whose results are arrays of NumPy."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        def call(*arguments):
            result = getattr(self.module, name)(*arguments)
            return tuple(map(on_host, result)) if isinstance(result, tuple) else on_host(result)

        return call
