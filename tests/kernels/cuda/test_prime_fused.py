"""PRIME views in one kernel: held to the reference and to the way that takes a launch for each primitive."""

import numpy as np
import pytest

from passband.kernels import cuda, philox, reference
from passband.kernels.cuda.device import use
from passband.kernels.cuda.prime_fused import MOST_SHARED_BYTES, plan
from passband.kernels.prime_steps import COLOR, IDENTITY, NOISE, SPATIAL, SPECTRAL
from passband.pipeline.augment import Draws
from passband.pipeline.augment.prime_options import PRESETS, PrimeOptions
from passband.pipeline.augment.prime_sampling import sample_steps
from tests.cuda_host.device import HostDevice
from tests.kernels.conftest import on_host
from tests.kernels.test_prime import make_steps

SHAPES = [(3, 32, 32), (3, 28, 28), (2, 17, 19)]
"""The last has a middle row and column, and threads without a pixel."""


def make_images(count, shape=SHAPES[0]):
    return np.random.default_rng(count).random((count, *shape), dtype=np.float32)


def preset_steps(preset, count, side=32):
    draws = Draws(2**63 + 5, np.arange(count, dtype=np.uint32) + 7, 1, 1 << 24)
    return sample_steps(PrimeOptions.model_validate({"preset": preset}), draws, side, philox.words)[0]


def everything(count, depth=4, **changes):
    """Return chains of all kinds of steps, in another order for each image."""
    rng = np.random.default_rng(depth)
    kinds = rng.permuted(np.resize(np.arange(5), (count, 3, depth)), axis=2)
    return make_steps(kinds, weights=rng.dirichlet(np.ones(4), count).astype(np.float32), **changes)


def rows_of(steps, rows):
    """Return the steps of some images."""
    each = ("indices", "kinds", "strengths", "first", "last", "weights")
    return steps._replace(**{name: getattr(steps, name)[rows] for name in each})


@pytest.fixture(params=["fused", "general"])
def route(request, device, monkeypatch):
    """Make the views of all images in one of the two ways."""
    if request.param == "general":
        monkeypatch.setattr("passband.kernels.cuda.prime.plan", lambda *shape: None)
    return request.param


def views(images, steps):
    return on_host(cuda.prime_views(images, steps))


@pytest.mark.parametrize("kind", [IDENTITY, SPECTRAL, SPATIAL, COLOR, NOISE])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_primitive_agrees_with_the_reference(route, shape, kind):
    images = make_images(2, shape)
    steps = make_steps(np.full((2, 1, 1), kind), weights=np.array([[0, 1]] * 2, np.float32))
    np.testing.assert_allclose(views(images, steps), reference.prime_views(images, steps), rtol=0, atol=3e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_agree_with_the_reference(route, preset):
    """Chains of colours amplify what rounding did before, so the mean is held."""
    images, steps = make_images(5), preset_steps(preset, 5)
    assert np.abs(views(images, steps) - reference.prime_views(images, steps)).mean() < 5e-5


@pytest.mark.parametrize(
    "changes",
    [
        {"last": np.full((2, 3, 4), 250500)},  # 500 frequencies of colour and more modes than the grid has
        {"size": 1},
        {"size": 6},
        {"last": np.full((2, 3, 4), 3)},  # one frequency, one mode
    ],
    ids=["many", "tap", "even", "few"],
)
def test_extremes_agree_with_the_reference(route, changes):
    images, steps = make_images(2), everything(2, **changes)
    if changes.get("last", [[[0]]])[0][0][0] > 1000:
        color = steps.kinds == COLOR
        steps = steps._replace(
            last=np.where(color, 500, steps.last), strengths=np.where(color, np.float32(0.02), steps.strengths)
        )
    error = np.abs(views(images, steps) - reference.prime_views(images, steps))
    assert error.mean() < 1e-4


def test_only_small_images_take_one_kernel():
    for shape in ((3, 32, 32), (3, 28, 28), (1, 28, 28), (3, 16, 24), (1, 40, 40)):
        found = plan(*shape, 3)
        assert found is not None
        assert found.threads <= 256
        assert found.shared_bytes <= MOST_SHARED_BYTES
    for shape in ((3, 64, 64), (3, 224, 224), (3, 2, 40), (3, 8, 8), (9, 32, 32)):
        assert plan(*shape, 3) is None
    assert plan(3, 32, 32, 150) is None  # a filter that leaves no room


def test_which_kernels_run():
    with use(HostDevice()) as device:
        cuda.prime_views(make_images(3), everything(3))
        assert [launch[1] for launch in device.launches] == ["prime_views"]
        _, _, _, grid, block, shared = device.launches[0]
        assert (grid, block, shared) == ((3,), (256,), plan(3, 32, 32, 3).shared_bytes)
        device.launches.clear()
        cuda.prime_views(make_images(3, (3, 8, 9)), everything(3))
        names = [launch[1] for launch in device.launches]
        assert names.count("mix_chain") == 3
        assert "prime_views" not in names


def test_a_view_does_not_depend_on_its_batch(route):
    images, steps = make_images(8), everything(8)
    whole = views(images, steps)
    for rows in (slice(0, 3), slice(3, 8), slice(None, None, -1), slice(5, 6)):
        np.testing.assert_array_equal(views(images[rows], rows_of(steps, rows)), whole[rows])


def test_a_view_does_not_depend_on_the_order_of_threads(route):
    images, steps = make_images(2), everything(2, depth=5)
    results = []
    for seed in (0, 1, 2):
        with use(HostDevice(seed=seed)):
            results.append(views(images, steps))
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


def test_fields_are_made_in_parts_where_memory_is_short(monkeypatch):
    images, steps = make_images(5, (2, 9, 12)), everything(5)
    with use(HostDevice()) as device:
        whole = views(images, steps)
        monkeypatch.setattr("passband.kernels.cuda.prime_general.FIELD_BYTES", 2 * 24 * 9 * 12)
        device.launches.clear()
        np.testing.assert_array_equal(views(images, steps), whole)
        grids = {launch[3] for launch in device.launches if launch[1] == "sum_rows"}
    assert grids == {(2,), (4,)}  # one tile for each axis of one or two images


def test_images_of_the_device_are_taken_and_kept(route, device):
    images, steps = make_images(2), everything(2)
    there = device.asarray(images)
    np.testing.assert_array_equal(views(there, steps), views(images, steps))
    np.testing.assert_array_equal(on_host(there), images)


def test_no_images_launch_nothing():
    with use(HostDevice()) as device:
        assert cuda.prime_views(make_images(0), everything(0)).shape == (0, 3, 32, 32)
        assert device.launches == []
