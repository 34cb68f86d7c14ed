"""The benchmark of PRIME runs, draws other views in each round, and prints a row for each contender."""

import json

import numpy as np

from benchmarks import augment
from benchmarks.timing import describe_machine
from pipeline.augment.corruption import NAMES


def test_every_contender_has_a_row():
    rows = [row for preset in augment.WORKLOADS for row in augment.measure(preset, rounds=2, count=2)]
    names = ["prime", "only spectral", "only spatial", "only color", "copy"]
    assert [row["what"] for row in rows] == names * 2
    assert all(row["images_per_s"] > 0 for row in rows)
    assert [row["target"] for row in rows if "target" in row] == [20_000, 400]
    json.dumps(rows)
    assert augment.format_table(describe_machine(), rows).count("\n") == 3 + len(rows)


def test_every_corruption_has_a_row():
    rows = [row for table in augment.WORKLOADS for row in augment.measure_corruptions(table, rounds=1, count=2)]
    assert [row["what"] for row in rows] == [*NAMES, "copy"] * 2
    assert all(row["images_per_s"] > 0 for row in rows)
    assert augment.format_table(describe_machine(), rows).count("\n") == 3 + len(rows)


def test_runs_are_of_other_samples():
    images = augment.make_images(2, 32)
    np.testing.assert_array_equal(images * 255, np.rint(images * 255))
    run = augment.make_run({"preset": "cifar"}, images)
    assert (run().images != run().images).any()
