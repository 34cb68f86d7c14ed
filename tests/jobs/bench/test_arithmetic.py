"""What figures mean, by numbers that can be worked out by hand."""

import itertools

import pytest

from passband.jobs.bench.cases import Case
from passband.jobs.bench.cost import break_even_epochs, cost_per_million, least_bytes, share_of_copy
from passband.jobs.bench.loops import Step
from passband.jobs.bench.rows import make_row
from passband.jobs.bench.timing import time_in_turn
from passband.jobs.bench.training import TrainingPlan, make_training_row
from passband.jobs.bench.trial import TRIED_IMAGES, Plan, Trial, shrunk

CASE = Case("prime", "cifar", 32, 1000, {"preset": "cifar"})


def test_cost_of_a_million_images():
    assert cost_per_million(1_000_000 / 3600, 2.5) == pytest.approx(2.5)
    assert cost_per_million(100, 3.6) == pytest.approx(10)


def test_least_bytes_and_their_share_of_a_copy():
    assert least_bytes(3 * 32 * 32, 4) == 24_576
    assert share_of_copy(2e9, 0.5, 8e9) == pytest.approx(0.5)


def test_break_even():
    assert break_even_epochs(60, 30, 0.3, 0.1) == pytest.approx(10)
    assert break_even_epochs(60, 30, 0.1, 0.1) is None
    assert break_even_epochs(60, 30, 0.1, 0.3) is None


def test_a_row_of_three_rounds():
    plan = Plan([CASE], rounds=3, price_per_hour=3.6)
    row = make_row(plan, Trial(CASE), [0.1, 0.2, 0.4], copy_bytes_per_s=1e9)
    assert (row.rounds, row.seconds.median) == (3, 0.2)
    assert row.images_per_s.median == pytest.approx(5000)
    assert row.images_per_s.first == pytest.approx(1000 / 0.3)
    assert row.images_per_s.third == pytest.approx(1000 / 0.15)
    assert row.bytes_per_s == pytest.approx(24_576 * 5000)
    assert row.share_of_copy == pytest.approx(0.12288)
    assert row.cost_per_million_images == pytest.approx(0.2)
    assert (row.least_bytes_per_image, row.shard_bytes_per_image) == (24_576, 6_144)


def test_stored_pixels_move_a_quarter():
    row = make_row(Plan([CASE], rounds=1, pixels="uint8"), Trial(CASE), [0.2], copy_bytes_per_s=1e9)
    assert row.least_bytes_per_image == row.shard_bytes_per_image == 6_144
    assert row.share_of_copy == pytest.approx(0.12288 / 4)
    assert row.cost_per_million_images is None


def test_a_row_without_a_round_has_no_figures():
    row = make_row(Plan([CASE], rounds=1), Trial(CASE, error="no"), [], None)
    assert (row.error, row.rounds, row.images_per_s, row.share_of_copy) == ("no", 0, None, None)


def test_slow_cases_get_smaller_batches():
    assert shrunk(CASE, 1e-6).batch == 1000
    assert shrunk(CASE, 0.005).batch == 250
    assert shrunk(CASE, 10.0).batch == TRIED_IMAGES


class Clock:
    """Stands still but for what is added."""

    now = 0.0

    def __call__(self):
        return self.now

    def spend(self, seconds):
        self.now += seconds


def test_contenders_take_turns_and_warm_up_untimed():
    clock, order = Clock(), []
    lengths = {"a": itertools.count(1), "b": itertools.count(10)}

    def contender(name):
        def run():
            order.append(name)
            clock.spend(next(lengths[name]))

        return run

    contenders = {name: contender(name) for name in lengths}
    found = time_in_turn(contenders, rounds=2, warmup=1, clock=clock)
    assert order == ["a", "b"] * 3
    assert found == {"a": [2, 3], "b": [11, 12]}


def test_what_was_timed_until_a_stop_is_kept():
    clock, runs = Clock(), []

    def run():
        runs.append(1)
        clock.spend(1)

    found = time_in_turn({"a": run, "b": run}, 5, 0, clock=clock, stopped=lambda: len(runs) == 3)
    assert found == {"a": [1, 1], "b": [1]}


class Blocks:
    def __init__(self, *blocks):
        self.blocks = [[Step(0.01, 0.0, seconds - 0.01) for seconds in block] for block in blocks]


def test_ways_are_paired_by_round():
    loops = {"stored": Blocks([0.1, 0.1], [0.2, 0.2]), "kernels": Blocks([0.3], [0.4])}
    plan = TrainingPlan(batch_size=100, price_per_hour=36.0)
    row = make_training_row(plan, "kernels", loops, generation_s=12.0, steps_per_epoch=30)
    assert row.steps == 2
    assert row.step_s.median == pytest.approx(0.35)
    assert row.over_stored.median == pytest.approx(2.5)  # of 3 and 2
    assert row.break_even_epochs == pytest.approx(12 / (30 * 0.15 * (2.5 - 1)))
    assert row.samples_per_s == pytest.approx(100 / 0.35)
    assert row.cost_per_million_samples == pytest.approx(35)
    assert row.waiting_share == pytest.approx(0.02 / 0.7)
    stored = make_training_row(plan, "stored", loops, 12.0, 30)
    assert (stored.over_stored, stored.break_even_epochs) == (None, None)


def test_a_way_that_was_stopped_before_its_first_step_has_no_figures():
    row = make_training_row(TrainingPlan(), "torch", {"stored": Blocks([0.1]), "torch": Blocks()}, 1.0, 30)
    assert (row.steps, row.step_s, row.over_stored) == (0, None, None)
