"""What the PRIME kernels refuse, and the smallest calls that they accept: the same on every backend."""

import numpy as np
import pytest

from passband import kernels
from passband.kernels.prime_steps import COLOR, IDENTITY, NOISE, SPATIAL, SPECTRAL, PrimeSteps
from tests.kernels.conftest import on_host

IMAGES = np.random.default_rng(3).random((2, 3, 8, 9), dtype=np.float32)


@pytest.fixture
def backend(any_backend):
    """Return each backend's package, and the reference."""
    return any_backend


def steps_of(chains=2, depth=2, kind=SPECTRAL, count=2):
    """Return well-formed steps, all of one kind."""
    shape = count, chains, depth
    return PrimeSteps(
        key=5,
        indices=np.arange(count, dtype=np.uint32),
        view=1,
        stages=np.arange(chains * depth, dtype=np.uint32).reshape(chains, depth),
        kinds=np.full(shape, kind, np.uint8),
        strengths=np.full(shape, 0.1, np.float32),
        first=np.full(shape, 2, np.int32),
        last=np.full(shape, 5, np.int32),
        weights=np.full((count, chains + 1), 1 / (chains + 1), np.float32),
        size=3,
    )


def spoilt(array, value):
    changed = array.copy()
    changed.flat[-1] = value
    return changed


GOOD = steps_of()
COLORS = steps_of(kind=COLOR)
BAD = {
    "kinds of other images": (GOOD, {"kinds": GOOD.kinds[:1]}, r"steps.kinds: needs shape \(2, any, any\)"),
    "kinds of another rank": (GOOD, {"kinds": GOOD.kinds[0]}, r"steps.kinds: needs shape \(2, any, any\)"),
    "kinds of floats": (GOOD, {"kinds": GOOD.kinds.astype(float)}, "steps.kinds: needs uint8, got float64"),
    "an unknown kind": (GOOD, {"kinds": spoilt(GOOD.kinds, 5)}, "steps.kinds: needs 0 to 4 .*, got 5"),
    "too few strengths": (GOOD, {"strengths": GOOD.strengths[:, :1]}, r"steps.strengths: needs shape \(2, 2, 2\)"),
    "integer strengths": (GOOD, {"strengths": np.ones((2, 2, 2), int)}, "steps.strengths: needs a floating-point"),
    "a strength of NaN": (GOOD, {"strengths": spoilt(GOOD.strengths, np.nan)}, "steps.strengths: needs finite"),
    "too few first": (GOOD, {"first": GOOD.first[..., :1]}, r"steps.first: needs shape \(2, 2, 2\)"),
    "too few last": (GOOD, {"last": GOOD.last[:1]}, r"steps.last: needs shape \(2, 2, 2\)"),
    "no weight for a chain": (GOOD, {"weights": GOOD.weights[:, :2]}, r"steps.weights: needs shape \(2, 3\)"),
    "weights without end": (GOOD, {"weights": spoilt(GOOD.weights, np.inf)}, "steps.weights: needs finite"),
    "too few indices": (GOOD, {"indices": GOOD.indices[:1]}, r"steps.indices: needs shape \(2\)"),
    "wide indices": (GOOD, {"indices": GOOD.indices.astype(np.int64)}, "indices: needs .* uint32"),
    "too few stages": (GOOD, {"stages": GOOD.stages[:1]}, r"steps.stages: needs shape \(2, 2\)"),
    "wide stages": (GOOD, {"stages": GOOD.stages.astype(np.int64)}, "steps.stages: needs uint32, got int64"),
    "a wide view": (GOOD, {"view": 2**32}, "view 4294967296: needs 32 bits"),
    "a negative view": (GOOD, {"view": -1}, "view -1: needs 32 bits"),
    "a wide key": (GOOD, {"key": 2**64}, "key .*: needs 64 bits"),
    "an empty filter": (GOOD, {"size": 0}, "steps.size: needs at least 1, got 0"),
    "frequency zero": (COLORS, {"first": spoilt(COLORS.first, 0)}, "steps.first: needs at least 1 here, got 0"),
    "a band upside down": (COLORS, {"last": spoilt(COLORS.last, 1)}, "steps.last: needs at least 2 here, got 1"),
    "half a frequency": (COLORS, {"first": COLORS.first + 0.5}, "steps.first: needs integers, got float64"),
    "modes below none": (steps_of(kind=SPATIAL), {"last": spoilt(GOOD.last, -1)}, "steps.last: needs at least 0 here"),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed_steps_are_refused(backend, case):
    steps, changes, match = BAD[case]
    with pytest.raises(ValueError, match=match):
        backend.prime_views(IMAGES, steps._replace(**changes))


def test_what_a_kind_does_not_use_is_not_checked(backend):
    changes = {"first": np.zeros((2, 2, 2), np.int32), "last": np.zeros((2, 2, 2), np.int32)}
    for kind in (IDENTITY, SPECTRAL, SPATIAL, NOISE):
        assert backend.prime_views(IMAGES, steps_of(kind=kind)._replace(**changes)).shape == IMAGES.shape


@pytest.mark.parametrize("depth", [0, 2])
def test_no_chains_leave_the_weight_of_the_clean_image(backend, depth):
    weights = np.array([[0.5], [1.0]], np.float32)
    views = backend.prime_views(IMAGES, steps_of(0, depth)._replace(weights=weights))
    np.testing.assert_array_equal(on_host(views), weights[:, :, None, None] * IMAGES)


def test_chains_without_steps_are_the_identity(backend):
    weights = np.array([[0.5, 0.125, 0.125], [0.25, 0.25, 0.5]], np.float32)
    views = backend.prime_views(IMAGES, steps_of(2, 0)._replace(weights=weights))
    np.testing.assert_allclose(on_host(views), weights.sum(axis=1)[:, None, None, None] * IMAGES, rtol=0, atol=2e-7)


@pytest.mark.parametrize(("chains", "depth"), [(2, 2), (0, 2), (2, 0), (0, 0)])
def test_no_images_give_none(backend, chains, depth):
    assert backend.prime_views(IMAGES[:0], steps_of(chains, depth, count=0)).shape == (0, 3, 8, 9)


@pytest.mark.parametrize("first", [[1.7, 1.2], [1.0, 2.0], [True, False]])
def test_frequencies_are_integers(backend, first):
    with pytest.raises(ValueError, match="first_frequency: needs integers, got (float64|bool)"):
        backend.smooth_color(IMAGES, np.zeros((2, 3, 4), np.float32), np.array(first))


def test_a_negative_frequency_is_refused(backend):
    with pytest.raises(ValueError, match="first_frequency: needs at least 0 here, got -3"):
        backend.smooth_color(IMAGES, np.zeros((2, 3, 4), np.float32), np.array([1, -3]))


def test_a_refusal_reads_the_same_everywhere(device):
    for steps, changes, _ in BAD.values():
        messages = set()
        for name in ("reference", *kernels.BACKENDS):
            with pytest.raises(ValueError, match="needs") as caught:
                kernels.backend(name).prime_views(IMAGES, steps._replace(**changes))
            messages.add(str(caught.value))
        assert len(messages) == 1
