"""The stage prime: options, samplers, and whole views against a plain float64 pipeline."""

import tracemalloc

import numpy as np
import pytest
from pydantic import ValidationError

from passband.kernels import backend, prime_steps
from passband.pipeline.augment import AUGMENTATIONS, Draws
from passband.pipeline.augment.prime_options import PRESETS, PrimeOptions
from passband.pipeline.augment.prime_sampling import (
    arcsine,
    choose,
    flat_dirichlet,
    integer_beta,
    mixture_weights,
    sample_steps,
    temperature_range,
)

Prime = AUGMENTATIONS["prime"]
CPU, REFERENCE = backend("cpu"), backend("reference")
UNIFORMS = (np.arange(20_000) + 0.5) / 20_000


def draws_of(count, view=1):
    return Draws(0x9E3779B97F4A7C15, np.arange(count, dtype=np.uint32) * 7, view).at(position=3)


def images_of(count, shape):
    return (np.random.default_rng(count).integers(0, 256, (count, *shape)) / 255).astype(np.float32)


def apply(options, images, kernels=CPU, view=1):
    stage = Prime(PrimeOptions.model_validate(options), shape=images.shape[1:], kernels=kernels)
    return stage.apply(images, np.zeros(len(images), np.int64), draws_of(len(images), view))


def steps_of(options, count, size=32):
    return sample_steps(PrimeOptions.model_validate(options), draws_of(count), size, CPU.words)


# Options


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_resolves_to_numbers_that_need_no_preset(preset):
    resolved = PrimeOptions.model_validate({"preset": preset}).model_dump()
    assert None not in {key: value for key, value in resolved.items() if key not in ("beta", "color_band")}.values()
    for other in PRESETS:
        again = PrimeOptions.model_validate({**resolved, "preset": other})
        assert again.model_dump() == {**resolved, "preset": other}


def test_presets_hold_the_published_numbers():
    dump = {name: PrimeOptions.model_validate({"preset": name}).model_dump() for name in PRESETS}
    keys = ("sampler", "spatial_cut_min", "spatial_cut_max", "color_cut", "color_variance", "color_band", "beta")
    assert {name: tuple(values[key] for key in keys) for name, values in dump.items()} == {
        "cifar": ("released", 2, 100, 100, 0.01, None, [1, 1]),
        "imagenet": ("released", 2, 500, 500, 0.05, 20, [1, 1]),
        "cifar-thesis": ("paper", 100, 100, 10, 0.0001, None, None),
        "imagenet-thesis": ("paper", 500, 500, 500, 0.0025, 20, None),
        "filling-shape": ("released", 10, 10, 500, 0.001, 20, [5, 1]),
        "filling-colour": ("released", 2, 100, 500, 0.001, 20, [6, 2]),
    }
    for name, values in dump.items():
        assert (values["width"], values["depth"], values["strength"], values["spectral_size"]) == (3, 3, 1.0, 3)
        assert values["spectral_strength"] == (0.1 if name.startswith("filling") else 4.0)
        assert ("identity" in values["primitives"]) == (values["sampler"] == "paper")


def test_a_preset_is_filled_only_where_nothing_is_given():
    options = PrimeOptions.model_validate({"preset": "imagenet", "color_band": None, "width": 5, "beta": [2, 3]})
    assert (options.color_band, options.width, options.beta, options.spatial_cut_max) == (None, 5, [2, 3], 500)


def test_another_sampler_brings_its_own_defaults():
    paper = PrimeOptions.model_validate({"preset": "cifar", "sampler": "paper"})
    assert (paper.beta, paper.spatial_cut_min, "identity" in paper.primitives) == (None, 100, True)
    released = PrimeOptions.model_validate({"preset": "cifar-thesis", "sampler": "released"})
    assert (released.beta, released.spatial_cut_min, released.spatial_cut_max) == ([1, 1], 2, 100)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"preset": "cifar10"}, "'cifar', 'imagenet', 'cifar-thesis'"),
        ({"preset": 3}, "preset"),
        ({"preset": ["cifar"]}, "preset"),
        ({"sampler": "other"}, "'released' or 'paper'"),
        ({"strength": -0.1}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"strength": "1"}, "strength"),
        ({"spectral_strength": -1.0}, "spectral_strength"),
        ({"color_variance": -0.01}, "color_variance"),
        ({"noise_strength": float("inf")}, "noise_strength"),
        ({"spatial_cut_min": 1}, "spatial_cut_min"),
        ({"spatial_cut_min": 9, "spatial_cut_max": 8}, "spatial_cut_min 9: allowed are 2 to spatial_cut_max"),
        ({"sampler": "paper", "spatial_cut_min": 5}, "the sampler paper has one cut"),
        ({"sampler": "paper", "beta": [1, 1]}, "beta"),
        ({"beta": None}, "beta"),
        ({"beta": [1, 0]}, "beta"),
        ({"beta": [1]}, "beta"),
        ({"width": 0}, "width"),
        ({"width": 256}, "width"),
        ({"depth": 0}, "depth"),
        ({"depth": True}, "depth"),
        ({"color_cut": 0}, "color_cut"),
        ({"color_band": 0}, "color_band"),
        ({"spectral_size": 0}, "spectral_size"),
        ({"primitives": []}, "primitives"),
        ({"primitives": ["color", "color"]}, "names one twice"),
        ({"primitives": ["blur"]}, "primitives"),
    ],
)
def test_impossible_options_are_refused(options, match):
    with pytest.raises(ValidationError, match=match) as caught:
        PrimeOptions.model_validate(options)
    assert caught.value.error_count() <= 2


# Sampling


def test_choices_are_uniform_and_inclusive():
    low, counts = np.unique(choose(UNIFORMS, 3, 7), return_counts=True)
    assert low.tolist() == [3, 4, 5, 6, 7]
    assert np.ptp(counts) <= 1
    ends = choose(np.array([2.0**-33, 1 - 2.0**-33]), 1, 10_000)
    assert ends.tolist() == [1, 10_000]


def test_arcsine_law():
    values = arcsine(UNIFORMS)
    np.testing.assert_allclose(values, np.sin(np.pi * UNIFORMS / 2) ** 2, atol=1e-14)
    np.testing.assert_allclose([values.mean(), values.var()], [1 / 2, 1 / 8], atol=1e-4)


def test_a_choice_by_the_arcsine_law_stays_within_its_ends():
    """29 of the 2^32 words round to 1.0, which once chose one above the upper end."""
    words = np.arange(2**32 - 64, 2**32, dtype=np.float64)
    values = arcsine((words + 0.5) * 2.0**-32)
    assert (values == 1).sum() == 29
    assert set(choose(values, 2, 100).tolist()) == {100}
    assert choose(values, np.full(64, 2), np.arange(2, 66)).tolist() == list(range(2, 66))
    assert choose(arcsine(np.array([2.0**-33])), 2, 100).tolist() == [2]


def test_the_largest_words_draw_a_deformation_within_the_options():
    options = PrimeOptions(primitives=["spatial"], spatial_cut_min=2, spatial_cut_max=7)

    def largest(key, rows, view, stage, count):
        return np.full((len(rows), count), 2**32 - 1, np.uint32)

    steps, _ = sample_steps(options, draws_of(3), 32, largest)
    assert set(steps.last.reshape(-1).tolist()) == {7 * 7 + 7}


@pytest.mark.parametrize(("a", "b"), [(1, 1), (5, 1), (6, 2), (1, 3)])
def test_integer_beta_has_the_moments_of_beta(a, b):
    draws = draws_of(20_000).uniforms(a + b - 1)
    values = integer_beta(draws, a, b)
    assert abs(values.mean() - a / (a + b)) < 0.005
    assert abs(values.var() - a * b / ((a + b) ** 2 * (a + b + 1))) < 0.002


def test_flat_dirichlet_has_equal_means_and_adds_up():
    weights = flat_dirichlet(draws_of(20_000).uniforms(3))
    assert weights.min() > 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / 4, atol=0.005)
    np.testing.assert_allclose(weights.var(axis=0), 3 / 80, atol=0.002)
    assert flat_dirichlet(np.empty((5, 0))).tolist() == [[1.0]] * 5


@pytest.mark.parametrize("preset", ["cifar", "cifar-thesis"])
def test_mixture_weights(preset):
    options = PrimeOptions.model_validate({"preset": preset})
    weights, share = mixture_weights(options, draws_of(20_000), CPU.words)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(1 - weights[:, 0], share, atol=1e-12)
    mean = [1 / 2, 1 / 6, 1 / 6, 1 / 6] if preset == "cifar" else [1 / 4] * 4
    np.testing.assert_allclose(weights.mean(axis=0), mean, atol=0.006)


@pytest.mark.parametrize(("preset", "size"), [("cifar", 32), ("imagenet", 224), ("imagenet-thesis", 224)])
def test_what_steps_are_drawn(preset, size):
    options = PrimeOptions.model_validate({"preset": preset})
    steps, _ = steps_of({"preset": preset}, 4000, size)
    kinds, last, first, sigma = steps.kinds, steps.last, steps.first, steps.strengths
    released = options.sampler == "released"
    active = (kinds != prime_steps.IDENTITY).mean(axis=(0, 1))
    np.testing.assert_allclose(active, [1, 2 / 3, 1 / 3] if released else [3 / 4] * 3, atol=0.03)
    spatial, color, spectral = (kinds == kind for kind in (2, 3, 1))
    np.testing.assert_allclose([spatial.mean(), color.mean()], spectral.mean(), atol=0.02)
    assert 0 < sigma[spectral].min() < 0.05
    assert 3.95 < sigma[spectral].max() < 4
    cut = (np.sqrt(4 * last[spatial] + 1) - 1) / 2 if released else np.sqrt(last[spatial])
    np.testing.assert_allclose(cut, np.rint(cut), atol=1e-4)
    cut = np.rint(cut).astype(int)
    assert (cut.min(), cut.max() > 0.9 * options.spatial_cut_max) == (options.spatial_cut_min, True)
    low, high = np.sqrt(temperature_range(cut, size))
    assert (sigma[spatial] >= low * (1 - 1e-6)).all()
    assert (sigma[spatial] <= high * (1 + 1e-6)).all()
    top = np.sqrt(options.color_variance)
    assert 0.95 * top < sigma[color].max() <= top * (1 + 1e-6)
    expected = top * 2 / 3 if released else top / 2
    assert abs(sigma[color].mean() / expected - 1) < 0.03
    assert (first[color] >= 1).all()
    assert (first[color] <= last[color]).all()
    assert last[color].max() <= options.color_cut
    if options.color_band is None:
        assert (first[color] == 1).all()
    else:
        assert (last[color] - first[color]).max() == options.color_band - 1
        assert first[color].max() > 0.8 * options.color_cut


def test_a_fixed_cut():
    steps, _ = steps_of({"preset": "filling-shape"}, 500)
    assert np.unique(steps.last[steps.kinds == prime_steps.SPATIAL]).tolist() == [110]


def test_strength_multiplies_every_deviation_after_the_clamp():
    weak, _ = steps_of({"preset": "cifar"}, 300)
    strong, _ = steps_of({"preset": "cifar", "strength": 2.5}, 300)
    np.testing.assert_allclose(strong.strengths, 2.5 * weak.strengths, rtol=1e-6)
    np.testing.assert_array_equal(strong.kinds, weak.kinds)


def test_addresses_of_steps_are_distinct_and_free_of_the_parameters_draws():
    steps, _ = steps_of({"preset": "cifar", "width": 4, "depth": 5}, 1)
    assert len(np.unique(steps.stages)) == 20
    assert (steps.stages >> 24 == 3).all()
    assert (steps.stages & 255 == 3).all()


def test_a_step_keeps_its_draws_when_width_and_depth_grow():
    small, _ = steps_of({"preset": "cifar-thesis", "width": 2, "depth": 2}, 50)
    large, _ = steps_of({"preset": "cifar-thesis", "width": 4, "depth": 3}, 50)
    np.testing.assert_array_equal(large.kinds[:, :2, :2], small.kinds)
    np.testing.assert_array_equal(large.strengths[:, :2, :2], small.strengths)
    np.testing.assert_array_equal(large.stages[:2, :2], small.stages)


# Views


CASES = [
    ({"preset": "cifar"}, (3, 32, 32), 16),
    ({"preset": "cifar", "width": 1, "depth": 6}, (1, 19, 28), 8),
    ({"preset": "cifar", "primitives": ["noise", "spatial"]}, (3, 24, 18), 8),
    ({"preset": "imagenet"}, (3, 64, 48), 8),
    ({"preset": "imagenet"}, (3, 224, 224), 1),
    ({"preset": "cifar-thesis"}, (3, 28, 28), 8),
    ({"preset": "imagenet-thesis"}, (3, 40, 33), 8),
    ({"preset": "filling-shape"}, (3, 32, 32), 8),
    ({"preset": "filling-colour"}, (3, 32, 32), 8),
    ({"preset": "cifar"}, (3, 1, 1), 8),
    ({"preset": "cifar"}, (4, 2, 9), 8),
]


@pytest.mark.parametrize(("options", "shape", "count"), CASES, ids=str)
def test_views_agree_with_float64(options, shape, count):
    images = images_of(count, shape)
    given, expected = apply(options, images), apply(options, images, REFERENCE)
    error = np.abs(given.images - expected.images)
    assert error.mean() < 1e-3
    assert np.median(error) < 1e-6
    # A colour step of frequency 500 has slopes of 1000: two in a row turn float32 rounding into grey levels.
    if options["preset"].startswith("cifar"):
        assert np.quantile(error, 0.999) < 1e-3
        assert error.max() < 2e-2
    for name, values in expected.recorded.items():
        np.testing.assert_array_equal(given.recorded[name], values)


@pytest.mark.parametrize("preset", PRESETS)
def test_strength_zero_is_identity(preset):
    images = images_of(20, (3, 17, 21))
    result = apply({"preset": preset, "strength": 0.0}, images)
    np.testing.assert_allclose(result.images, images, rtol=0, atol=1e-6)


@pytest.mark.parametrize("preset", ["cifar", "imagenet-thesis"])
def test_without_mix_a_view_is_the_chain_that_one_chain_of_a_mixture_is(preset):
    images = images_of(12, (3, 17, 22))
    alone = apply({"preset": preset, "mix": False}, images)
    mixed = apply({"preset": preset, "width": 1}, images)
    np.testing.assert_array_equal(alone.recorded["weights"], [[0, 1]] * 12)
    np.testing.assert_array_equal(alone.recorded["share"], np.ones(12))
    np.testing.assert_array_equal(alone.recorded["primitives"], mixed.recorded["primitives"])
    clean, chain = mixed.recorded["weights"].T[:, :, None, None, None]
    np.testing.assert_allclose(clean * images + chain * alone.images, mixed.images, atol=1e-6)


def test_mixing_stands_in_the_dump_only_where_it_is_left_out():
    assert "mix" not in PrimeOptions.model_validate({"mix": True}).model_dump()
    dump = PrimeOptions.model_validate({"mix": False}).model_dump()
    assert (dump["mix"], dump["width"]) == (False, 1)
    assert PrimeOptions.model_validate(dump).model_dump() == dump
    with pytest.raises(ValidationError, match="width 3: without mix a view is one chain"):
        PrimeOptions.model_validate({"mix": False, "width": 3})


@pytest.mark.parametrize("primitive", ["spectral", "spatial", "color", "noise"])
def test_a_subset_draws_nothing_else(primitive):
    result = apply({"preset": "cifar", "primitives": [primitive]}, images_of(30, (3, 16, 16)))
    kinds = set(np.unique(result.recorded["primitives"]))
    assert kinds == {prime_steps.IDENTITY, getattr(prime_steps, primitive.upper())}


def test_only_identity_is_identity():
    images = images_of(5, (3, 8, 8))
    result = apply({"preset": "cifar", "primitives": ["identity"]}, images)
    np.testing.assert_allclose(result.images, images, rtol=0, atol=1e-6)


def test_black_images_stay_black_but_for_noise():
    black = np.zeros((40, 3, 28, 28), np.float32)
    assert (apply({"preset": "cifar"}, black).images == 0).all()
    noisy = apply({"preset": "cifar", "primitives": ["noise"]}, black).images
    assert (noisy.max(axis=(1, 2, 3)) > 0).all()


def test_digits_on_black_change_where_they_are():
    digits = np.zeros((16, 3, 28, 28), np.float32)
    digits[:, :, 8:20, 11:16] = 1
    views = apply({"preset": "cifar"}, digits).images
    assert np.isfinite(views).all()
    assert (np.abs(views - digits).max(axis=(1, 2, 3)) > 0.01).mean() > 0.9


def test_copies_differ():
    images = images_of(8, (3, 16, 16))
    first, second = apply({}, images, view=1), apply({}, images, view=2)
    assert (np.abs(first.images - second.images).max(axis=(1, 2, 3)) > 0).all()


def test_what_is_recorded():
    result = apply({"preset": "cifar", "width": 2, "depth": 4}, images_of(12, (3, 8, 8)))
    recorded = result.recorded
    assert {name: values.shape for name, values in recorded.items()} == {
        "share": (12,),
        "weights": (12, 3),
        "primitives": (12, 2, 4),
        "strengths": (12, 2, 4),
    }
    np.testing.assert_array_equal(np.isnan(recorded["strengths"]), recorded["primitives"] == 0)
    np.testing.assert_allclose(recorded["weights"].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(1 - recorded["weights"][:, 0], recorded["share"], atol=1e-6)


@pytest.mark.parametrize(("preset", "size", "count"), [("cifar", 32, 256), ("imagenet", 224, 32)])
def test_memory_of_a_batch(preset, size, count):
    images = images_of(count, (3, size, size))
    apply({"preset": preset}, images[:1])
    tracemalloc.start()
    try:
        apply({"preset": preset}, images)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # With the images themselves at most 2.5 batches; the bound that a job may count on is 6.
    assert 1 <= peak / images.nbytes < 1.5
