"""The comparison of trainings, really run on small digits, and PRIME in plain torch against the stage."""

import dataclasses

import numpy as np
import pytest
import torch

from passband.jobs.bench.device import CpuDevice
from passband.jobs.bench.torch_prime import TorchPrime
from passband.jobs.bench.training import TrainingPlan, measure_training
from passband.jobs.bench.training_document import TrainingDocument
from passband.jobs.bench.training_estimate import estimate_training
from passband.jobs.bench.training_table import format_training, format_training_estimate
from passband.jobs.bench.ways import WAYS, make_views
from passband.jobs.training.batches import TrainBatch
from passband.kernels import cpu
from passband.pipeline.augment import AUGMENTATIONS, Draws
from passband.pipeline.augment.prime_options import PrimeOptions
from tests.jobs.bench.made import Silent

PLAN = TrainingPlan(
    network="lenet",
    size=16,
    batch_size=4,
    num_views=2,
    encoding="npy",
    rounds=2,
    steps=2,
    most_s=0.01,
    price_per_hour=1.0,
    source={"kind": "digits", "split": "test"},
)


@pytest.fixture(scope="module")
def document():
    return measure_training(PLAN, CpuDevice(), Silent())


def test_every_way_is_trained(document):
    assert [row.way for row in document.rows] == list(WAYS)
    assert (document.complete, document.settings.samples) == (True, 355)
    assert document.generation_s > 0
    stored, *others = document.rows
    assert stored.over_stored is None
    assert stored.step_s.median > 0
    for row in others:
        assert row.steps >= 2  # torch has no time for more
        assert row.over_stored.first <= row.over_stored.median <= row.over_stored.third
        gained = stored.step_s.median * (row.over_stored.median - 1)
        expected = document.generation_s / (document.settings.steps_per_epoch * gained)
        assert row.break_even_epochs == (pytest.approx(expected) if gained > 0 else None)
    assert others[1].augmenting_share > stored.augmenting_share


def test_the_document_reads_back_and_fits(document):
    assert TrainingDocument.model_validate_json(document.model_dump_json()) == document
    for width in (60, 120):
        lines = format_training(document, width).splitlines()
        assert max(map(len, lines)) <= width
        assert "pays after" in "\n".join(lines)


def test_a_stop_keeps_what_was_done():
    progress = Silent()
    plan = dataclasses.replace(PLAN, ways=("stored", "kernels"), rounds=3, most_s=60.0)
    found = measure_training(plan, CpuDevice(), progress, stopped=lambda: len(progress.advanced) >= 4)
    assert progress.advanced == ["shards", "stored", "kernels", "stored"]
    assert not found.complete
    assert [row.steps for row in found.rows] == [4, 2]
    assert "stopped early" in format_training(found, 60)


def test_a_dry_run_tries_every_way():
    found = estimate_training(PLAN, CpuDevice(), Silent())
    assert list(found.steps_s) == list(WAYS)
    assert found.seconds > found.generation_s > 0
    assert max(map(len, format_training_estimate(PLAN, found, 60).splitlines())) <= 60


def batch_of(count):
    generator, numbers = torch.Generator().manual_seed(1), torch.arange(count)
    return TrainBatch({"clean": torch.rand(count, 3, 16, 16, generator=generator)}, numbers % 10, numbers, numbers)


@pytest.mark.parametrize("way", ["kernels", "torch"])
def test_views_of_the_loop_are_new_each_time(way):
    made, batch = make_views(way, CpuDevice(), (3, 16, 16), 2), batch_of(8)
    before = batch.first.clone()
    views, again = made(batch), made(batch)
    assert list(views) == ["clean", "view1", "view2"]
    assert torch.equal(batch.first, before)
    for first, second in ((views["view1"], views["view2"]), (views["view1"], again["view1"])):
        assert first.shape == batch.first.shape
        assert first.dtype == torch.float32
        assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"primitives": ["spectral"]}, 512),
        ({"primitives": ["spectral"], "beta": [5, 1]}, 512),
        ({"primitives": ["spatial"]}, 128),
        ({"primitives": ["color"]}, 128),
        ({}, 64),
    ],
    ids=str,
)
def test_plain_torch_draws_from_the_same_distribution(changes, count):
    """The mean change of a pixel is that of the stage within five standard errors."""
    options = PrimeOptions.model_validate({"preset": "cifar", **changes})
    coarse = np.random.default_rng(0).random((count, 3, 4, 4), dtype=np.float32)
    images = coarse.repeat(4, 2).repeat(4, 3)
    plain = TorchPrime(options, torch.Generator().manual_seed(0))(torch.from_numpy(images)).numpy()
    stage = AUGMENTATIONS["prime"](options, shape=(3, 16, 16), kernels=cpu)
    draws = Draws(0, np.arange(count, dtype=np.uint32), 1)
    ours = stage.apply(images, np.zeros(count, np.int64), draws).images
    changed = [np.abs(views - images).mean((1, 2, 3)) for views in (plain, ours)]
    error = np.sqrt(sum(values.var() / count for values in changed))
    assert abs(changed[0].mean() - changed[1].mean()) < 5 * error
    assert plain.min() >= 0
    assert plain.max() <= 1 + 1e-5


def test_plain_torch_has_the_released_sampler_only():
    for preset in ("cifar-thesis", "imagenet"):
        with pytest.raises(ValueError, match="released"):
            TorchPrime(PrimeOptions.model_validate({"preset": preset}), torch.Generator())
