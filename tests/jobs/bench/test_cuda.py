"""Both benchmarks through the CUDA kernels: on the CPU in a GPU's place, or with --device cupy on one."""

import dataclasses

import numpy as np

from passband.jobs.bench.augment import measure
from passband.jobs.bench.contender import Workbench, make_run
from passband.jobs.bench.device import CpuDevice, open_device
from passband.jobs.bench.training import measure_training
from tests.jobs.bench.made import Silent, small_plan
from tests.jobs.bench.test_training import PLAN


def test_every_case_is_measured(device):
    document = measure(small_plan(), open_device("cuda"), Silent())
    assert {row.name: row.error for row in document.rows if row.error} == {}
    assert all(row.rounds == 1 for row in document.rows)
    assert (document.device.backend, document.device.name) == ("cuda", device.name)
    assert document.versions.items() >= device.environment().items()


def test_images_lie_on_the_device_and_views_are_those_of_the_cpu(device):
    (case,) = small_plan(["prime/cifar"]).cases
    there, here = Workbench(open_device("cuda")), Workbench(CpuDevice())
    given = there.images(case.batch, case.size)
    assert type(given) is type(device.asarray(np.zeros(1)))
    made = device.asnumpy(make_run(case, there)())
    # float32 in another order; no view is another one
    np.testing.assert_allclose(made, make_run(case, here)(), rtol=0, atol=5e-4)


def test_training_takes_views_of_the_kernels(device):
    plan = dataclasses.replace(PLAN, ways=("stored", "kernels"), rounds=1)
    document = measure_training(plan, open_device("cuda"), Silent())
    assert (document.complete, document.device.backend) == (True, "cuda")
    assert all(row.steps >= 1 for row in document.rows)
