"""What `CupyDevice` does that no host shows, held to CuPy and torch themselves; no GPU."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from passband.kernels.cuda.device import CupyDevice
from tests.cuda_host.marks import needs_cupy

pytestmark = needs_cupy


@pytest.fixture
def gpu():
    """A device as it is after its constructor, which needs a driver."""
    import cupy

    device = object.__new__(CupyDevice)
    device.xp, device.capability, device._kernels = cupy, "9.0", {}
    return device


def test_exceptions_of_torch_count_as_those_of_cupy(gpu):
    import cupy

    assert gpu.out_of_memory == (cupy.cuda.memory.OutOfMemoryError, torch.OutOfMemoryError)
    assert gpu.failures[-1] is torch.AcceleratorError
    assert all(issubclass(kind, Exception) for kind in gpu.failures)


def test_the_environment_names_every_library(gpu):
    assert gpu.environment().keys() == {"capability", "cupy", "cuda", "nvrtc", "cufft"}


@pytest.mark.parametrize(("pointer", "expected"), [(0, "default"), (4096, "external 4096")])
def test_torch_works_on_cupys_stream(monkeypatch, gpu, pointer, expected):
    """The default stream is 0, which torch would take for none given."""
    gpu.xp = SimpleNamespace(cuda=SimpleNamespace(get_current_stream=lambda: SimpleNamespace(ptr=pointer)))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: stream)
    monkeypatch.setattr(torch.cuda, "default_stream", lambda: "default")
    monkeypatch.setattr(torch.cuda, "ExternalStream", lambda given: f"external {given}")
    assert gpu.torch_stream() == expected


def test_a_kernel_asks_for_the_most_shared_memory_that_any_launch_needs(gpu):
    made = []

    def module(code, options):
        made.append(options)
        return SimpleNamespace(get_function=lambda name: SimpleNamespace(max_dynamic_shared_size_bytes=48 * 1024))

    gpu.xp = SimpleNamespace(RawModule=module)
    for needed in (1000, 60000, 50000):
        kernel = gpu.kernel("stencil.cu", "random_filter", shared_bytes=needed)
    assert kernel.max_dynamic_shared_size_bytes == 60000
    assert len(made) == 1


def test_pinned_arrays_may_be_empty(gpu):
    assert gpu.pinned((0, 4, 6, 3), np.uint8).shape == (0, 4, 6, 3)
