"""The targets of PRIME are looked up in what `passband bench augment` measures."""

import numpy as np

from benchmarks import augment
from passband.jobs.bench.contender import make_images


def test_both_cases_are_measured_and_held_to_their_targets(monkeypatch):
    document = augment.measure_targets(rounds=1, batch=2)
    assert [(row.name, row.size) for row in document.rows] == list(augment.TARGETS)
    monkeypatch.setattr(augment, "TARGETS", {("prime/cifar", 32): 0, ("prime/imagenet", 224): 10**9})
    (line,) = augment.missed(document)
    assert line.startswith("prime/imagenet at 224 px: ")
    assert line.endswith("target 1,000,000,000")


def test_runs_are_of_other_samples():
    run = augment.make_run({"preset": "cifar"}, make_images(2, 32))
    first, second = run(), run()
    assert first.dtype == np.float32
    assert (first != second).any()
