"""What every stage promises, tested over AUGMENTATIONS: a new stage needs only its line in SAMPLES.

`StageContract` tests stages of others as well (`tests/extensions`).
"""

import io
import json
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from passband.kernels import backend
from passband.kernels.cpu import get_num_threads, set_num_threads
from passband.pipeline.augment import AUGMENTATIONS, Draws, StageResult
from passband.pipeline.augment.corruption import CORRUPTIONS
from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
from tests.methods import titled

SURROGATE = {"network": "wide_resnet16_4", "checkpoint": "model.pt", "batch": 4}
"""The one network that takes images as small as those of `SHAPES`."""
CLASSES = list("0123456789")
# name -> options as a job file has them; each is tried
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "radial": [
        {"high": 8},
        {"low": 3},
        {"low": 2, "high": 5.5, "range": "shift"},
        {"low": 1, "high": "inf", "range": "float"},
    ],
    "dct": [{"size": 6, "keep": "low"}, {"size": 6, "keep": "high"}, {"size": 3, "keep": "high", "range": "float"}],
    "dct_flip": [{}, {"range": "shift"}],
    "svd": [{"rank": 3, "keep": "leading"}, {"rank": 3, "keep": "trailing"}],
    "phase_only": [{}, {"range": "clip"}],
    "prime": [
        {"preset": "cifar"},
        {"preset": "imagenet"},
        {"preset": "cifar-thesis"},
        {"preset": "imagenet-thesis"},
        {"preset": "filling-shape"},
        {"preset": "filling-colour"},
    ],
    "augmix": [{}, {"severity": 10, "width": 2, "depth": 1}, {"severity": 1, "width": 1, "depth": 4}],
    "sada": [
        {"surrogate": SURROGATE, "map": "none", "steps": 2},
        {"surrogate": SURROGATE | {"labels": "own"}, "map": "none", "steps": 1},
        {"surrogate": SURROGATE, "map": "map.npz", "weight": "map", "stop": "changed", "steps": 1, "step_size": 0.9},
        {"surrogate": SURROGATE, "map": "none", "targeted": False, "steps": 2},
        {"surrogate": SURROGATE, "random_only": True, "init": 1.0},
    ],
    "deepfool": [
        {"surrogate": SURROGATE | {"labels": "own"}, "classes": 3, "steps": 1},
        {"surrogate": SURROGATE, "target": "4", "alpha": 0.1, "steps": 2},
        {"surrogate": SURROGATE, "target": "random", "steps": 1},
    ],
    "sparsefool": [
        {"surrogate": SURROGATE, "classes": 2, "steps": 1, "rounds": 2},
        {"surrogate": SURROGATE, "target": "4", "alpha": 0.1, "steps": 1, "lam": 1.0, "rounds": 1},
    ],
    "corrupt": [
        *({"types": name, "severity": 3} for name in CORRUPTIONS),
        {"types": "all", "severity": {"uniform": [1, 5]}, "table": "tiny"},
        {"types": "all", "severity": {"uniform": [1, 5]}, "table": "imagenet"},
        {"types": ["gaussian_noise", "shot_noise", "snow"], "severity": {"poisson": 1.0}},
        *({"types": name, "severity": 4, "rounding": "truncate"} for name in CORRUPTIONS),
        {"types": "frost", "severity": 3, "frost_textures": "windows"},
        {"types": "all", "severity": {"uniform": [0, 5]}, "rounding": "truncate", "frost_textures": "windows"},
    ],
}
# What comes out the same wherever it stands: corruptions of which type and severity alone are drawn, and attacks that
# draw no target.
FIXED = (
    "defocus_blur",
    "zoom_blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg_compression",
    "deepfool",
    "sparsefool",
)
SHAPES = [(3, 32, 32), (3, 17, 22), (1, 9, 16)]
MORE_SHAPES = {"corrupt": [(3, 40, 64)]}
"""Stage -> shapes beside `SHAPES`: what it does depends on the size."""
KEY = 0x243F6A8885A308D3


def make_stage(name, options, shape, kernels="cpu"):
    stage_class = AUGMENTATIONS[name]
    resolved = stage_class.Options.model_validate(options)
    stage_class.check(resolved, shape)
    inputs = {role: content for name in stage_class.inputs(resolved) for role, content in INPUTS[name](shape).items()}
    stage_class.check_inputs(resolved, shape, CLASSES, inputs)
    return stage_class(resolved, shape=shape, kernels=backend(kernels), inputs=inputs, classes=CLASSES)


@cache
def checkpoint(shape):
    """Return an untrained network of this shape; batch norms that were fitted to nothing are its only blur."""
    channels = shape[0]
    spec = NetworkSpec(
        kind=SURROGATE["network"], shape=list(shape), classes=CLASSES, mean=[0.5] * channels, std=[0.25] * channels
    )
    return network_bytes(build_network(spec, seed=1))


def symmetric_map(height, width):
    """Return random numbers, centred, equal at a frequency and its mirror image."""
    around = np.random.default_rng(0).random((height, width))
    around = (around + around[-np.arange(height) % height][:, -np.arange(width) % width]) / 2
    return np.fft.fftshift(around)


@cache
def sensitivity_map(shape):
    file = io.BytesIO()
    np.savez(file, only=symmetric_map(*shape[1:]))
    return file.getvalue()


@cache
def windows(shape):
    """Return two photographs, a good deal larger than the images once they are scaled by 0.2."""
    files = {}
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (5 * shape[1] + 200, 5 * shape[2] + 200, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files[f"frost_textures/{number}.png"] = file.getvalue()
    return files


INPUTS = {
    "surrogate": lambda shape: {"surrogate": checkpoint(shape)},
    "map": lambda shape: {"map": sensitivity_map(shape)},
    "frost_textures": windows,
}
"""What a stage asks for -> shape -> role -> content."""


def make_batch(count, shape):
    """Return images whose pixels are multiples of 1/255, labels, and draws at scattered plan indices."""
    rng = np.random.default_rng(count)
    images = (rng.integers(0, 256, (count, *shape)) / 255).astype(np.float32)
    indices = np.array([4, 5, 0, 2**31 + 7, 1000, 6, 7, 99], np.uint32)[:count]
    return images, rng.integers(0, 10, count), Draws(KEY, indices, view=1).at(position=2)


def rows_of(result: StageResult, rows) -> StageResult:
    severity = None if result.severity is None else result.severity[rows]
    return StageResult(result.images[rows], {k: v[rows] for k, v in result.recorded.items()}, severity)


def assert_same(result: StageResult, expected: StageResult) -> None:
    np.testing.assert_array_equal(result.images, expected.images)
    assert result.recorded.keys() == expected.recorded.keys()
    for key, values in expected.recorded.items():
        np.testing.assert_array_equal(result.recorded[key], values, err_msg=key)
    if expected.severity is None:
        assert result.severity is None
    else:
        np.testing.assert_array_equal(result.severity, expected.severity)


def from_device(device, result: StageResult) -> StageResult:
    assert all(type(values) is np.ndarray for values in result.recorded.values())  # provenance is the host's
    return StageResult(device.asnumpy(result.images), result.recorded, result.severity)


def _shapes(name, asked):
    """Return the shapes that a test which asks for these goes over."""
    if "small_shape" in asked:
        return SHAPES[:2]
    return (*SHAPES, *MORE_SHAPES.get(name, [])) if "shape" in asked else [None]


class StageContract:
    """What every stage promises: a test class inherits it and names stages.

    Attributes
    ----------
    samples : name -> options as a job file has them; each is tried
    fixed : stages and types of `corrupt` that come out the same wherever a sample stands, unless a target is drawn
    """

    samples: ClassVar[dict[str, list[dict[str, Any]]]]
    fixed: ClassVar[tuple[str, ...]] = ()

    def pytest_generate_tests(self, metafunc):
        asked = [key for key in ("name", "options", "shape", "small_shape") if key in metafunc.fixturenames]
        cases = [
            {"name": name, "options": options, "shape": shape, "small_shape": shape}
            for name, samples in self.samples.items()
            for options in (samples if "options" in asked else [None])
            for shape in _shapes(name, asked)
        ]
        metafunc.parametrize(asked, [tuple(case[key] for key in asked) for case in cases], ids=str)

    def test_a_stage_says_who_it_is(self, name):
        stage_class = AUGMENTATIONS[name]
        assert stage_class.name == name
        assert stage_class.version >= 1
        assert stage_class.__doc__

    def test_options_survive_a_round_trip(self, name, options):
        model = AUGMENTATIONS[name].Options
        resolved = model.model_validate(options)
        assert model.model_validate(resolved.model_dump()) == resolved
        text = json.dumps(resolved.model_dump(mode="json"), allow_nan=False)
        again = model.model_validate(json.loads(text))
        assert again == resolved
        assert json.dumps(again.model_dump(mode="json"), allow_nan=False) == text
        json.dumps(model.model_json_schema(), allow_nan=False)

    def test_an_unknown_option_is_refused(self, name):
        for options in self.samples[name]:
            with pytest.raises(ValidationError, match="no_such_option"):
                AUGMENTATIONS[name].Options.model_validate({**options, "no_such_option": 1})

    def test_a_result_is_a_batch_of_finite_images(self, name, options, shape):
        stage = make_stage(name, options, shape)
        images, labels, draws = make_batch(8, shape)
        before = images.copy()
        images.flags.writeable = False
        result = stage.apply(images, labels, draws)
        np.testing.assert_array_equal(images, before)
        assert result.images.dtype == np.float32
        assert result.images.shape == images.shape
        assert not np.shares_memory(result.images, images)
        assert np.isfinite(result.images).all()
        if not stage.stores_float:
            assert result.images.min() >= 0
            assert result.images.max() <= 1 + 2**-22  # weights of a mixture add up to 1 only within rounding
        assert all(len(values) == 8 for values in result.recorded.values())
        assert result.severity is None or (result.severity.shape == (8,) and result.severity.dtype == np.int64)

    def test_a_sample_does_not_depend_on_its_batch(self, name, options, shape):
        stage = make_stage(name, options, shape)
        images, labels, draws = make_batch(8, shape)
        whole = stage.apply(images, labels, draws)
        for rows in (
            np.arange(8),
            np.arange(3),
            np.arange(3, 8),
            np.arange(8)[::-1],
            np.array([5]),
            np.array([], np.intp),
        ):
            part = stage.apply(images[rows], labels[rows], draws.select(rows))
            assert_same(part, rows_of(whole, rows))

    def test_nor_on_the_threads_or_the_instance(self, name, options):
        images, labels, draws = make_batch(8, SHAPES[1])
        threads, results = get_num_threads(), []
        try:
            for count in (1, 2, 5):
                set_num_threads(count)
                results.append(make_stage(name, options, SHAPES[1]).apply(images, labels, draws))
        finally:
            set_num_threads(threads)
        for result in results[1:]:
            assert_same(result, results[0])

    def test_a_stage_that_draws_draws_by_address(self, name, options):
        stage = make_stage(name, options, SHAPES[0])
        images, labels, draws = make_batch(8, SHAPES[0])
        result = stage.apply(images, labels, draws)
        elsewhere = [Draws(KEY, draws.indices, 2, draws.stage), Draws(KEY + 1, draws.indices, 1, draws.stage)]
        for other in elsewhere:
            changed = stage.apply(images, labels, other).images != result.images
            draws_nothing = not result.recorded or options.get("types", name) in self.fixed
            draws_nothing &= options.get("target") != "random"
            assert changed.any(axis=(1, 2, 3)).sum() in ((0,) if draws_nothing else range(6, 9))

    def test_empty_and_blank_batches(self, name, options):
        stage = make_stage(name, options, SHAPES[0])
        images, labels, draws = make_batch(0, SHAPES[0])
        result = stage.apply(images, labels, draws)
        assert result.images.shape == (0, *SHAPES[0])
        assert all(len(values) == 0 for values in result.recorded.values())
        _, labels, draws = make_batch(1, SHAPES[0])
        for level in (0.0, 0.3, 1.0):
            assert np.isfinite(stage.apply(np.full((1, *SHAPES[0]), level, np.float32), labels, draws).images).all()

    def test_a_device_makes_the_same_views(self, name, options, small_shape, device):
        stage = make_stage(name, options, small_shape, "cuda")
        images, labels, draws = make_batch(8, small_shape)
        on_device = device.asarray(images)
        before = device.asnumpy(on_device)
        found = from_device(device, stage.apply(on_device, labels, draws))
        np.testing.assert_array_equal(device.asnumpy(on_device), before)
        expected = make_stage(name, options, small_shape).apply(images, labels, draws)
        assert found.images.dtype == np.float32
        # A sign, a rounded level or a chosen pixel may turn where two routes round differently; nothing else may.
        far = abs(found.images - expected.images) > (5e-3 if name == "prime" else 5e-4)  # up to 500 sines in float32
        assert far.mean() < 2e-3
        assert found.recorded.keys() == expected.recorded.keys()
        for key, values in expected.recorded.items():
            np.testing.assert_allclose(found.recorded[key], values, atol=1e-3, err_msg=key)
        if expected.severity is not None:
            np.testing.assert_array_equal(found.severity, expected.severity)
        for rows in (np.arange(3), np.arange(3, 8)[::-1], np.array([], np.intp)):
            part = stage.apply(device.asarray(images[rows]), labels[rows], draws.select(rows))
            assert_same(from_device(device, part), rows_of(found, rows))

    def test_a_stage_that_rounds_rounds_its_own_result(self, name, options, small_shape, device):
        stage = make_stage(name, options, small_shape, "cuda")
        images, labels, draws = make_batch(4, small_shape)
        images[2, 0, 1, 1] = np.inf
        rounded = stage.apply_rounded(device.asarray(images), labels, draws)
        if rounded is None:
            assert name not in ("prime", "radial") or stage.options.model_dump().get("range", "clip") != "clip"
            return
        images[2, 0, 1, 1] = 0
        result = stage.apply(device.asarray(images), labels, draws)
        keep = np.array([0, 1, 3])
        expected = device.asnumpy(stage.kernels.to_uint8(result.images))
        np.testing.assert_array_equal(device.asnumpy(rounded.pixels)[keep], expected[keep])
        np.testing.assert_array_equal(rounded.recorded.get("weights"), result.recorded.get("weights"))
        assert device.asnumpy(rounded.first_bad)[0] in ((2, 4) if name == "prime" else (2,))  # a clip may hide it


class TestStages(StageContract):
    samples = SAMPLES
    fixed = FIXED

    def test_what_a_stage_records_is_told_in_methods(self, name, options):
        images, labels, draws = make_batch(1, SHAPES[0])
        recorded = make_stage(name, options, SHAPES[0]).apply(images, labels, draws).recorded
        told = titled(name).partition("**Recorded:**")[2].partition("\n\n")[0]
        assert [key for key in recorded if f"`{key}`" not in told] == []


def test_every_stage_has_sample_options():
    missing = set(AUGMENTATIONS) - set(SAMPLES)
    assert not missing, f"add sample options for {sorted(missing)} to SAMPLES"
    assert all(SAMPLES.values())
