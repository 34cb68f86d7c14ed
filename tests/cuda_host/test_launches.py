"""The calls that every check starts from reach every kernel, and results do not depend on the order of threads."""

import numpy as np
import pytest

from passband.kernels.cuda import sources
from tests.cuda_host.calls import LARGE, SMALL, SQUARES, calls
from tests.cuda_host.device import HostDevice
from tests.cuda_host.launches import by_call, covering
from tests.cuda_host.marks import needs_compiler

pytestmark = needs_compiler

DEFAULT = (SMALL[0], SQUARES[0])
SHAPES = [
    pytest.param(shape, id=str(shape), marks=[] if shape in DEFAULT else pytest.mark.cuda_full)
    for shape in (*SMALL, *SQUARES)
]


def test_every_kernel_is_launched():
    launched = {(launch.source, launch.kernel) for run in by_call(DEFAULT).values() for launch in run}
    every = {(name, kernel) for name in sources.names() for kernel in sources.kernel_names(sources.read(name))}
    assert launched == every
    assert len(every) > 30


def test_every_kernel_of_every_build_is_in_a_few_calls():
    found = by_call(DEFAULT)
    chosen = covering(found)
    assert len(chosen) < len(found) / 2
    assert {(*launch.build, launch.kernel) for call in chosen for launch in found[call]} == {
        (*launch.build, launch.kernel) for run in found.values() for launch in run
    }


def assert_same_in_every_order(made):
    devices = [HostDevice(seed=seed) for seed in (0, 1, 2)]
    for call in made:
        first, *others = (call.run(device) for device in devices)
        for other in others:
            for one, two in zip(first, other, strict=True):
                np.testing.assert_array_equal(one, two, err_msg=str(call))
                assert one.tobytes() == two.tobytes(), call


@pytest.mark.parametrize("shape", SHAPES)
def test_results_are_the_same_in_three_orders_of_threads(shape):
    assert_same_in_every_order(calls((shape,)))


@pytest.mark.cuda_full
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_results_of_large_planes_are_the_same_in_three_orders_of_threads(shape):
    assert_same_in_every_order(covering(by_call((shape,))))
