"""What the host device cannot refuse by itself: names and keywords that NumPy and SciPy have and CuPy has not."""

import inspect
import sys
from types import ModuleType

import pytest

from tests.cuda_host.array import HostArray
from tests.cuda_host.calls import SMALL, SQUARES, calls
from tests.cuda_host.device import HostDevice
from tests.cuda_host.marks import needs_compiler, needs_cupy

pytestmark = [needs_compiler, needs_cupy]


class Watched:
    """A module of the host device that notes what is asked of it, and with which keywords."""

    def __init__(self, module, seen, path=()):
        self._module, self._seen, self._path = module, seen, path

    def __getattr__(self, name):
        found, path = getattr(self._module, name), (*self._path, name)
        self._seen.setdefault(path, set())
        if isinstance(found, type) or not callable(found):
            nested = isinstance(found, ModuleType) or type(found) is type(self._module)
            return Watched(found, self._seen, path) if nested else found

        def call(*args, **kwargs):
            self._seen[path].add((len(args), *sorted(kwargs)))
            return found(*args, **kwargs)

        return call


@pytest.fixture(scope="module")
def used():
    """Return what the functions of `kernels.cuda` ask of the array module, the FFT module, and of arrays."""
    xp, fft, methods = {}, {}, set()
    device = HostDevice()
    device.xp, device.fft = Watched(device.xp, xp), Watched(device.fft, fft)

    def noted(self, name):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith("passband.kernels.cuda"):
            methods.add(name)
        return super(HostArray, self).__getattribute__(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HostArray, "__getattribute__", noted, raising=False)
        for call in calls((SMALL[0], SQUARES[0])):
            call.run(device)
    return xp, fft, methods


def assert_has(module, used):
    for path, ways in used.items():
        found = module
        for name in path:
            assert hasattr(found, name), f"{module.__name__} has no {'.'.join(path)}"
            found = getattr(found, name)
        for count, *keywords in ways:
            try:
                signature = inspect.signature(found)
            except ValueError:  # compiled: it has none
                continue
            signature.bind(*range(count), **dict.fromkeys(keywords))


def test_cupy_has_what_the_launchers_ask_of_the_array_module(used):
    import cupy

    assert len(used[0]) > 5
    assert_has(cupy, used[0])


def test_cupyx_has_what_the_launchers_ask_of_the_fft_module(used):
    import cupyx.scipy.fft

    assert len(used[1]) >= 2
    assert_has(cupyx.scipy.fft, used[1])


def test_arrays_of_cupy_have_what_the_launchers_ask_of_arrays(used):
    import cupy

    assert {"shape", "dtype"} < used[2]
    assert {name for name in used[2] if not hasattr(cupy.ndarray, name)} == set()


def test_what_cupy_has_not_would_be_seen():
    import cupy

    with pytest.raises(AssertionError, match="cupy has no nditer"):
        assert_has(cupy, {("nditer",): set()})
    with pytest.raises(TypeError, match="sorter"):
        assert_has(cupy, {("roll",): {(2, "sorter")}})
