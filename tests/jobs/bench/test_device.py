import tracemalloc

import numpy as np
import pytest

from passband.jobs.bench.device import COPY_ROWS, CpuDevice, CudaDevice, open_device
from passband.kernels import cpu
from passband.kernels.cuda import device as cuda
from passband.pipeline.errors import PassbandError


class Counted:
    """A device of NumPy's that counts how often it was waited for."""

    name, xp, waited = "counted", np, 0

    def asarray(self, array):
        return array.copy()

    def synchronize(self):
        self.waited += 1

    def environment(self):
        return {"capability": "none"}


def test_the_cpu_copies_all_of_it_on_its_threads():
    device = CpuDevice()
    asked = []
    device.kernels = type("Kernels", (), {"for_ranges": lambda *given: asked.append(given)})
    device.copy(3 * COPY_ROWS + 5)()
    ((part, count, rows),) = asked
    assert (count, rows) == (3 * COPY_ROWS + 5, COPY_ROWS)
    part(0, count)


def test_the_cpu_says_what_its_kernels_are_compiled_for():
    assert CpuDevice().environment() == {"baseline": cpu.BASELINE}


def test_peak_memory_is_that_of_the_run():
    peak = CpuDevice().peak_bytes(lambda: np.ones(2**20).sum())
    assert 2**23 <= peak < 2**23 + 2**18
    assert not tracemalloc.is_tracing()


def test_a_gpu_is_asked_through_the_kernels_device():
    counted = Counted()
    with cuda.use(counted):
        device = open_device("cuda")
    assert (device.backend, device.name, device.threads, device.pci_bus_id) == ("cuda", "counted", None, None)
    assert device.environment() == {"capability": "none"}
    images = np.arange(3.0)
    assert device.put(images) is not images
    device.copy(64)()
    device.synchronize()
    assert counted.waited == 1
    assert device.peak_bytes(lambda: None) is None


def test_a_gpus_pool_says_what_a_run_held():
    class Pool:
        used, total = 100, 1000

        def free_all_blocks(self):
            self.total = self.used

        def used_bytes(self):
            return self.used

        def total_bytes(self):
            return self.total

    pool, counted = Pool(), Counted()
    counted.xp = type("Arrays", (), {"get_default_memory_pool": staticmethod(lambda: pool)})
    with cuda.use(counted):
        device = CudaDevice()

    def run():
        pool.total += 500

    assert device.peak_bytes(run) == 500


def test_without_a_gpu_the_error_is_one_line(monkeypatch):
    def missing():
        raise cuda.DeviceError("backend cuda needs CuPy\n(install passband[cuda13])")

    monkeypatch.setattr(cuda, "current", missing)
    with pytest.raises(PassbandError, match=r"^backend cuda needs CuPy \(install passband\[cuda13\]\)$"):
        open_device("cuda")
