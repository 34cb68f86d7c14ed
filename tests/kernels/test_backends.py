"""Every backend against the float64 reference: same functions, signatures, shapes and refusals, and close values."""

import inspect
import math
from typing import NamedTuple

import numpy as np
import pytest

from passband import kernels
from passband.kernels import reference
from passband.kernels.contract import Kernels, documented
from tests.kernels.conftest import on_host

# Largest allowed max|backend - reference|, by the dtype that the backend returns.
TOLERANCE = {np.dtype(np.float32): 1e-6, np.dtype(np.uint8): 0}
# What a float32 algorithm cannot reach, and why.
LOOSER = {
    "smooth_color": 3e-4,  # the recurrence over up to 100 sines amplifies rounding by the number of terms
    "sine_field": 3e-5,  # in pixels: the field times H or W
    "warp_reflected": 1e-5,  # as warp, and the folded coordinate is rounded once more
    "warp": 5e-6,  # float32 coordinates of up to 70 pixels, times a step of up to 1 between neighbours
}
SHAPES = [(2, 3, 32, 32), (3, 1, 7, 12), (1, 3, 9, 4), (2, 2, 65, 40), (0, 3, 8, 8)]


class Images(NamedTuple):
    """What cases are made from."""

    rng: np.random.Generator
    shape: tuple[int, int, int, int]

    def uniform(self):
        return self.rng.random(self.shape, dtype=np.float32)

    def normal(self, *shape, scale=1.0):
        return (scale * self.rng.standard_normal(shape)).astype(np.float32)


def half(images):
    return (min(images.shape[2:]) + 1) // 2


def color(images, terms, first):
    count, channels = images.shape[:2]
    firsts = images.rng.integers(1, first + 1, count)
    return images.uniform(), images.normal(count, channels, terms, scale=0.1), firsts


def field(images, rows, columns):
    count, _, height, width = images.shape
    return images.normal(count, 2, rows, columns, scale=0.01), height, width


def taps(images, per_sample, count, reach):
    """Return offsets of up to `reach` pixels, which may be more than the image has, and weights."""
    offsets = images.rng.integers(-reach, reach + 1, (images.shape[0] if per_sample else 1, count, 2))
    return images.uniform(), offsets, images.rng.dirichlet(np.ones(count))


def grids(images, count, factor):
    """Return rows and columns, some of them outside the image."""
    rows, columns = (np.linspace(-0.5, s - 0.5, max(1, int(factor * s))) for s in images.shape[2:])
    shift = images.rng.uniform(-1, 1, (count, 1))
    return images.uniform(), rows + shift, columns + shift


def near(images, rounds, reach):
    shape = images.shape[0], rounds, *images.shape[2:]
    return images.uniform(), images.rng.integers(0, 2**32, shape, np.uint32), reach


def random_words(images):
    return images.rng.integers(0, 2**32, images.shape, np.uint32)


def blocks(images, share):
    return tuple(max(1, int(share * size)) for size in images.shape[2:])


def bell(reach):
    weights = np.exp(-0.5 * (3 * np.arange(-reach, reach + 1) / max(1, reach)) ** 2)
    return weights / weights.sum()


def waves(images, count):
    """Return `count` pairs of an image and one of three waves, and how strong it is in each channel."""
    number, channels, *size = images.shape
    rows, chosen = (images.rng.integers(0, max(1, most), count if number else 0) for most in (number, 3))
    return images.uniform(), rows, images.normal(3, *size, scale=0.1), chosen, images.normal(len(rows), channels)


# name -> the argument lists that it is tried with
CASES = {
    "radial_filter": [
        lambda i: (i.uniform(), 0, 2.5),
        lambda i: (i.uniform(), 2, math.inf),
        lambda i: (i.uniform(), 1, 4.0),
        lambda i: (i.uniform(), 99, math.inf),
    ],
    "dct_filter": [lambda i: (i.uniform(), half(i), "low"), lambda i: (i.uniform(), half(i), "high")],
    "dct_flip": [lambda i: (i.uniform(),)],
    "add_basis": [lambda i: waves(i, 1), lambda i: waves(i, 70)],
    "svd_filter": [lambda i: (i.uniform(), half(i), "leading"), lambda i: (i.uniform(), half(i), "trailing")],
    "phase_only": [lambda i: (i.uniform(),)],
    "to_float": [lambda i: (i.rng.integers(0, 256, (i.shape[0], *i.shape[2:], i.shape[1]), np.uint8),)],
    "to_uint8": [lambda i: (1.5 * i.uniform() - np.float32(0.25),)],
    "smooth_color": [
        lambda i: color(i, 1, 1),
        lambda i: color(i, 20, 480),
        lambda i: color(i, 100, 1),
        lambda i: color(i, 0, 1),
    ],
    "random_filter": [lambda i, k=k: (i.uniform(), i.normal(i.shape[0], k, k, scale=0.3)) for k in (1, 3, 4, 9)],
    "sine_field": [
        lambda i: field(i, 1, 2),
        lambda i: field(i, i.shape[2] - 2, i.shape[3] - 2),
        lambda i: field(i, min(i.shape[2:]) // 2, 1),
    ],
    "warp": [
        lambda i: (i.uniform(), i.normal(i.shape[0], 2, *i.shape[2:], scale=2.0)),
        lambda i: (i.uniform(), i.normal(i.shape[0], 2, *i.shape[2:], scale=100.0)),
        lambda i: (i.uniform(), np.zeros((i.shape[0], 2, *i.shape[2:]), np.float32)),
    ],
    "mix": [
        lambda i, m=m: (
            i.rng.random((m, *i.shape), dtype=np.float32),
            i.rng.dirichlet(np.ones(m), i.shape[0]).astype(np.float32),
        )
        for m in (1, 4)
    ],
    "brighten": [lambda i, a=a: (i.uniform(), a) for a in (0.2, 0.0, -0.3)],
    "plasma_fractal": [
        lambda i, m=m, d=d: ((2 * i.rng.random((i.shape[0], m, m), np.float32) - 1), d)
        for m, d in ((2, 2.0), (16, 1.4), (64, 3.0))
    ],
    "pixelate": [lambda i, f=f: (i.uniform(), *blocks(i, f)) for f in (0.3, 0.65, 0.95, 1)],
    "separable_blur": [lambda i, r=r: (i.uniform(), bell(r)) for r in (0, 2, 50)],
    "warp_reflected": [
        lambda i, s=s, b=b: (i.uniform(), i.normal(i.shape[0], 2, *i.shape[2:], scale=s), b)
        for s in (2.0, 100.0)
        for b in ("reflect", "mirror")
    ],
    "scale_contrast": [lambda i, f=f: (i.uniform(), f) for f in (0.4, 1.0, 0.0)],
    "gaussian_noise": [lambda i: (i.uniform(), 0.3, i.normal(*i.shape))],
    "shot_noise": [lambda i, r=r: (i.uniform(), r, random_words(i)) for r in (3, 60.0, 500)],
    "impulse_noise": [lambda i, a=a: (i.uniform(), a, random_words(i)) for a in (0, 0.27, 1)],
    "tap_filter": [
        lambda i: (*taps(i, True, 7, 3), "nearest"),
        lambda i: (*taps(i, False, 25, 2), "mirror"),
        lambda i: (*taps(i, True, 9, 12), "mirror"),
        lambda i: (*taps(i, True, 9, 12), "reflect"),
        lambda i: (*taps(i, False, 1, 0), "reflect"),
    ],
    "resample": [lambda i: grids(i, 1, 1.0), lambda i: grids(i, 5, 0.7), lambda i: grids(i, 26, 1.3)],
    "shuffle_pixels": [lambda i: near(i, 1, 1), lambda i: near(i, 2, 4)],
}
EACH = [(name, number) for name, cases in CASES.items() for number in range(len(cases))]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "number"), EACH)
def test_backend_agrees_with_reference(backend, name, number, shape):
    arguments = CASES[name][number](Images(np.random.default_rng(number), shape))
    before = [np.copy(argument) for argument in arguments]
    result, expected = on_host(getattr(backend, name)(*arguments)), getattr(reference, name)(*arguments)
    for argument, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copy)
    assert result.dtype == (np.uint8 if name == "to_uint8" else np.float32)
    assert result.shape == expected.shape
    tolerance = LOOSER.get(name, TOLERANCE[result.dtype])
    np.testing.assert_allclose(result.astype(np.float64), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_signatures_are_the_same(backend, name):
    given, wanted = inspect.signature(getattr(backend, name)), inspect.signature(getattr(reference, name))
    assert [(p.name, p.kind) for p in given.parameters.values()] == [
        (p.name, p.kind) for p in wanted.parameters.values()
    ]


CONTRACT = [name for name in dir(Kernels) if not name.startswith("_")]


@pytest.mark.parametrize("name", CONTRACT)
def test_every_function_of_the_contract_is_there_with_its_parameters_and_its_text(any_backend, name):
    function, promised = getattr(any_backend, name), getattr(Kernels, name)
    _, *wanted = inspect.signature(promised).parameters
    assert list(inspect.signature(function).parameters) == wanted
    assert inspect.getdoc(function).startswith(inspect.getdoc(promised))


def test_the_contract_holds_all_functions_of_the_reference():
    assert set(CONTRACT) == set(reference.__all__) - {"words", "normals", "host_words"}
    assert set(CASES) <= set(CONTRACT)


def test_a_note_of_one_backend_stands_below_the_notes_of_the_contract():
    def pixelate():
        """Summed line by line."""

    def gaussian_noise():
        """By a table."""

    def warp():
        pass

    assert inspect.getdoc(documented(pixelate)).endswith("a pixel's center.\n\nSummed line by line.")
    assert inspect.getdoc(documented(gaussian_noise)).endswith("not clipped\n\nNotes\n-----\nBy a table.")
    assert inspect.getdoc(documented(warp)) == inspect.getdoc(Kernels.warp)
    with pytest.raises(AttributeError, match="no_such_kernel"):
        documented(type("Function", (), {"__name__": "no_such_kernel"})())


@pytest.mark.parametrize(
    "name", [name for name in CASES if name not in ("to_float", "sine_field", "mix", "plasma_fractal")]
)
def test_images_of_another_rank_are_refused_alike(backend, name):
    _, *others = CASES[name][0](Images(np.random.default_rng(0), (2, 3, 8, 8)))
    messages = []
    for module in (backend, reference):
        with pytest.raises(ValueError, match="images") as caught:
            getattr(module, name)(np.zeros((3, 8, 8), np.float32), *others)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="no backend 'tpu'.*cpu"):
        kernels.backend("tpu")
