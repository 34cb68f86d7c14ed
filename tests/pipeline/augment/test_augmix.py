"""AugMix against torchvision's own, fed the same choices; the laws of the draws; what is refused."""

import itertools
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy import stats
from torchvision.transforms import v2

from passband.kernels import backend
from passband.pipeline.augment import AUGMENTATIONS, Draws
from passband.pipeline.augment.augmix import BINS, OPERATIONS, SIGNED, AugMix, AugMixOptions, sample_chains
from passband.pipeline.augment.augmix_operations import magnitude_table, mix_chains
from passband.pipeline.augment.augmix_warps import rotated, sheared, shifted
from passband.pipeline.openmp import single_openmp_thread

COUNT = 20000
LEAST = 1e-4  # p-values below this fail; the draws are fixed, so a test fails always or never


class Told(v2.AugMix):
    """torchvision's AugMix with its source of random numbers replaced by a list of answers."""

    def __init__(self, monkeypatch, dirichlet, answers, **options):
        super().__init__(all_ops=False, **options)
        self._dirichlet, self._answers = deque(dirichlet), deque(answers)
        monkeypatch.setattr(torch, "randint", self._next)
        monkeypatch.setattr(torch, "rand", self._next)

    def _next(self, *_, **__):
        return torch.tensor(self._answers.popleft())

    def _sample_dirichlet(self, params):
        return torch.from_numpy(np.float32(self._dirichlet.popleft()))[None]

    def used_up(self):
        return not self._answers and not self._dirichlet


def draws(count, view=1):
    return Draws(11, np.arange(count, dtype=np.uint32), view).at(position=3)


def make(options, shape):
    return AugMix(AugMixOptions.model_validate(options), shape=shape, kernels=backend("cpu"))


def batch(count, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
    pixels = np.sort(pixels, axis=-1)  # a picture, of sorts: every operation shows
    return pixels, pixels.astype(np.float32) / np.float32(255)


def answers_for(chains, n, depth_is_drawn):
    """Yield what `v2.AugMix.forward` asks for, in its order."""
    for operations, bins, negative in zip(chains.operations[n], chains.bins[n], chains.negative[n], strict=True):
        if depth_is_drawn:
            yield int((operations > 0).sum())
        for number, step, minus in zip(operations, bins, negative, strict=True):
            if number:
                name = OPERATIONS[number - 1]
                yield int(number - 1)
                if name not in ("autocontrast", "equalize"):
                    yield int(step)
                if name in SIGNED:
                    yield 0.25 if minus else 0.75


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 17, 22), (1, 9, 16)])
@pytest.mark.parametrize("options", [{}, {"severity": 10}, {"severity": 7, "width": 2, "depth": 4}])
def test_it_is_the_augmix_of_torchvision(monkeypatch, options, shape):
    pixels, images = batch(24, shape)
    stage, at = make(options, shape), draws(24)
    result = stage.apply(images, np.zeros(24, np.int64), at)
    chains = sample_chains(stage.options, at)
    for n in range(24):
        share = np.float32(chains.share[n])
        theirs = Told(
            monkeypatch,
            [[1 - share, share], chains.weights[n]],
            answers_for(chains, n, stage.options.depth < 0),
            severity=stage.options.severity,
            mixture_width=stage.options.width,
            chain_depth=stage.options.depth,
        )
        expected = theirs(torch.from_numpy(pixels[n])).numpy()
        assert theirs.used_up()
        np.testing.assert_array_equal(np.rint(result.images[n] * 255), expected)
    assert len(np.unique(chains.operations)) >= 9


def test_operations_and_magnitudes_are_those_of_torchvision():
    space = v2.AugMix._PARTIAL_AUGMENTATION_SPACE
    assert [name.lower() for name in space] == [name.replace("_", "") for name in OPERATIONS]
    assert [name for name, (_, signed) in zip(OPERATIONS, space.values(), strict=True) if signed] == list(SIGNED)
    table = magnitude_table(17, 40)
    assert table.shape == (len(OPERATIONS), BINS)
    for row, (steps, _) in zip(table, space.values(), strict=True):
        expected = steps(BINS, 17, 40)
        np.testing.assert_array_equal(row, np.full(BINS, np.nan) if expected is None else expected.numpy())


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 17, 40), (3, 33, 5), (1, 91, 40), (1, 5, 300), (3, 640, 513)])
@pytest.mark.parametrize("at_once", [1000, 1 << 20])
def test_warps_are_those_of_torchvision_however_many_rows_come_at_once(monkeypatch, shape, at_once):
    """Bit by bit, for every magnitude that is drawn, with either sign."""
    monkeypatch.setattr("passband.pipeline.augment.augmix_warps._PIXELS_AT_ONCE", at_once)
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, *shape), np.uint8))
    table = dict(zip(OPERATIONS, magnitude_table(*shape[1:]), strict=True))
    affine = partial(v2.functional.affine, image, interpolation=v2.InterpolationMode.BILINEAR, angle=0.0, scale=1.0)
    rotate = partial(v2.functional.rotate, image, interpolation=v2.InterpolationMode.BILINEAR)
    with single_openmp_thread():
        for sign, number in itertools.product((1, -1), (1, 4, 9)):
            m = {name: sign * float(values[number]) for name, values in table.items()}
            angles = [math.degrees(math.atan(m[name])) for name in ("shear_x", "shear_y")]
            x, y = int(m["translate_x"]), int(m["translate_y"])
            for ours, theirs in (
                (sheared(image, x=m["shear_x"]), affine(translate=[0, 0], shear=[angles[0], 0.0], center=[0, 0])),
                (sheared(image, y=m["shear_y"]), affine(translate=[0, 0], shear=[0.0, angles[1]], center=[0, 0])),
                (shifted(image, x=x), affine(translate=[x, 0], shear=[0.0, 0.0])),
                (shifted(image, y=y), affine(translate=[0, y], shear=[0.0, 0.0])),
                (rotated(image, m["rotate"]), rotate(m["rotate"])),
            ):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_no_step_leaves_the_image():
    pixels, _ = batch(1, (3, 8, 8))
    nothing = np.zeros((2, 3), np.uint8), np.full((2, 3), np.nan)
    np.testing.assert_array_equal(mix_chains(pixels[0], *nothing, np.float32([0.5, 0.25, 0.25])), pixels[0])


def test_values_are_cut_and_not_rounded():
    black, white = np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 255, np.uint8)
    invert = np.array([[OPERATIONS.index("solarize") + 1]]), np.array([[0.0]])
    weights = np.float32([0.01, 0.99])
    assert mix_chains(black, *invert, weights).tolist() == [[[252, 252]] * 2][0:1]
    assert mix_chains(white, *invert, weights).tolist() == [[[2, 2]] * 2][0:1]


def test_without_mix_a_view_is_one_chain_by_itself():
    pixels, images = batch(24, (3, 17, 22))
    stage, at = make({"mix": False}, (3, 17, 22)), draws(24)
    result, chains = stage.apply(images, np.zeros(24, np.int64), at), sample_chains(stage.options, at)
    np.testing.assert_array_equal(result.recorded["weights"], [[0, 1]] * 24)
    np.testing.assert_array_equal(chains.operations, sample_chains(AugMixOptions(width=1), at).operations)
    table = np.concatenate([np.full((1, BINS), np.nan), magnitude_table(17, 22)])
    for n in range(24):
        magnitudes = np.where(chains.negative[n], -1, 1) * table[chains.operations[n], chains.bins[n]]
        expected = mix_chains(pixels[n], chains.operations[n], magnitudes, np.float32([0, 1]))
        np.testing.assert_array_equal(np.rint(result.images[n] * 255), expected)


def test_mixing_stands_in_the_dump_only_where_it_is_left_out():
    assert set(AugMixOptions().model_dump()) == {"severity", "width", "depth"}
    assert AugMixOptions(mix=False).model_dump() == {"severity": 3, "width": 1, "depth": -1, "mix": False}
    with pytest.raises(ValidationError, match="width 2: without mix a view is one chain"):
        AugMixOptions(mix=False, width=2)


def test_what_is_recorded():
    stage, (_, images) = make({"width": 2}, (3, 8, 8)), batch(5, (3, 8, 8))
    recorded = stage.apply(images, np.zeros(5, np.int64), draws(5)).recorded
    assert {name: values.shape for name, values in recorded.items()} == {
        "share": (5,),
        "weights": (5, 3),
        "operations": (5, 2, 3),
        "magnitudes": (5, 2, 3),
    }
    np.testing.assert_allclose(recorded["weights"].sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(recorded["weights"][:, 0], 1 - recorded["share"])
    without = np.isin(
        recorded["operations"], [0, 1 + OPERATIONS.index("autocontrast"), 1 + OPERATIONS.index("equalize")]
    )
    np.testing.assert_array_equal(np.isnan(recorded["magnitudes"]), without)


# Laws of the draws


def assert_uniform(values, choices):
    assert stats.chisquare(np.bincount(values.ravel(), minlength=choices)[-choices:]).pvalue > LEAST


def test_every_choice_is_uniform_and_independent():
    chains = sample_chains(AugMixOptions(severity=7), draws(COUNT))
    active = chains.operations > 0
    depths = active.sum(axis=2)
    assert (active == (np.arange(3) < depths[..., None])).all()
    assert_uniform(depths, 3)
    assert_uniform(chains.operations[active], 9)
    assert_uniform(chains.bins[active], 7)
    signed = active & (chains.operations <= len(SIGNED))
    assert_uniform(chains.negative[signed].astype(int), 2)
    assert not chains.negative[~signed].any()
    flat = [chains.operations[:, m, 0] for m in range(3)] + [chains.bins[:, m, 0] for m in range(3)]
    correlations = np.corrcoef(np.array(flat, float))
    assert abs(correlations[np.triu_indices(6, 1)]).max() < 5 / COUNT**0.5


def test_shares_are_uniform_and_weights_flat_dirichlet():
    chains = sample_chains(AugMixOptions(), draws(COUNT))
    assert stats.kstest(chains.share, "uniform").pvalue > LEAST
    for column in chains.weights.T:
        assert stats.kstest(column, stats.beta(1, 2).cdf).pvalue > LEAST
        assert abs(np.corrcoef(column, chains.share)[0, 1]) < 5 / COUNT**0.5
    np.testing.assert_allclose(chains.weights.sum(axis=1), 1)


def test_a_given_depth_is_kept():
    chains = sample_chains(AugMixOptions(depth=5, width=4), draws(100))
    assert chains.operations.shape == (100, 4, 5)
    assert (chains.operations > 0).all()


# What is refused, and what it depends on


@pytest.mark.parametrize(
    ("options", "named"),
    [({"severity": 0}, "severity"), ({"severity": 11}, "severity"), ({"width": 0}, "width"), ({"depth": -2}, "depth")],
)
def test_options_out_of_range_are_refused(options, named):
    with pytest.raises(ValidationError, match=named):
        AugMixOptions.model_validate(options)


def test_depth_zero_is_refused_with_what_is_allowed():
    with pytest.raises(ValidationError, match="depth is 0; allowed: 1 to 16, or -1"):
        AugMixOptions.model_validate({"depth": 0})


def test_images_of_two_channels_are_refused():
    with pytest.raises(ValueError, match="images have 2 channels; allowed: 1 or 3"):
        AugMix.check(AugMixOptions(), (2, 8, 8))


def test_it_leaves_torch_as_it_was():
    before = torch.random.get_rng_state().clone(), torch.get_num_threads(), torch.is_grad_enabled()
    make({}, (3, 8, 8)).apply(batch(3, (3, 8, 8))[1], np.zeros(3, np.int64), draws(3))
    after = torch.random.get_rng_state(), torch.get_num_threads(), torch.is_grad_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_torch_works_in_one_thread_here_and_in_all_elsewhere():
    """The limit is the thread's own, and the bits are the same without it."""
    torch.get_num_threads()
    with ThreadPoolExecutor(1) as pool:
        before, there = torch.get_num_threads(), pool.submit(torch.get_num_threads).result()
        with single_openmp_thread():
            assert torch.get_num_threads() == 1
            assert pool.submit(torch.get_num_threads).result() == there
        assert torch.get_num_threads() == before


def test_bits_do_not_depend_on_the_threads_of_torch():
    pixels, images = batch(12, (3, 224, 224))
    stage, at = make({"severity": 10}, (3, 224, 224)), draws(12)
    single = stage.apply(images, np.zeros(12, np.int64), at)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        for n in range(12):
            mixed = mix_chains(
                pixels[n],
                single.recorded["operations"][n],
                single.recorded["magnitudes"][n].astype(np.float64),
                single.recorded["weights"][n],
            )
            np.testing.assert_array_equal(np.rint(single.images[n] * 255), mixed)
    finally:
        torch.set_num_threads(before)


def test_only_stages_that_run_torch_name_libraries():
    named = {name: set(stage.libraries()) for name, stage in AUGMENTATIONS.items() if stage.libraries()}
    assert named == dict.fromkeys(("augmix", "sada", "deepfool", "sparsefool"), {"torch", "torchvision"})
    assert AugMix.environment_bound


def test_channels_of_large_images_are_taken_one_by_one_with_the_same_bits(monkeypatch):
    images = np.random.default_rng(0).random((20, 3, 33, 40), np.float32)
    stage = AugMix(AugMixOptions(severity=10), shape=(3, 33, 40), kernels=backend("cpu"))
    draws = Draws(1, np.arange(20, dtype=np.uint32), 1)
    together = stage.apply(images, np.zeros(20, np.int64), draws).images
    monkeypatch.setattr("passband.pipeline.augment.augmix_operations.LARGE", 0)
    np.testing.assert_array_equal(stage.apply(images, np.zeros(20, np.int64), draws).images, together)
