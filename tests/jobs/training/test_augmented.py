"""A share of the samples is augmented: which ones, and what the others show."""

import numpy as np
import pytest
import torch

from passband.jobs.common.jobfile import JobError
from passband.jobs.training.augmented import AugmentedShare
from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.log import read_metrics
from passband.jobs.training.run import train
from tests.jobs.training.test_run import StopAfter, assert_same_training


def batch(indices):
    clean = torch.rand(len(indices), 3, 4, 5, generator=torch.Generator().manual_seed(0))
    ints = torch.zeros(len(indices), dtype=torch.int64)
    return TrainBatch({"clean": clean, "one": clean + 1, "two": clean + 2}, ints, ints, torch.tensor(indices))


def test_those_that_are_kept_have_their_views_and_the_others_the_first():
    given = batch(range(300))
    share = AugmentedShare(seed=3, share=0.4)
    found, kept = share(given), share.keeps(np.arange(300))
    assert found.labels is given.labels
    assert torch.equal(found.images["clean"], given.images["clean"])
    for name in ("one", "two"):
        assert torch.equal(found.images[name][kept], given.images[name][kept])
        assert torch.equal(found.images[name][~kept], given.images["clean"][~kept])


def test_the_share_is_that_of_all_samples_and_a_larger_one_has_those_of_a_smaller():
    indices = np.arange(20_000)
    kept = [AugmentedShare(0, share).keeps(indices) for share in (0, 0.25, 0.5, 1)]
    assert [found.mean() for found in kept] == pytest.approx([0, 0.25, 0.5, 1], abs=0.01)
    assert not (kept[1] & ~kept[2]).any()
    assert kept[3].all()
    assert not kept[0].any()
    assert (AugmentedShare(1, 0.25).keeps(indices) != kept[1]).mean() == pytest.approx(2 * 0.25 * 0.75, abs=0.02)


def test_it_does_not_depend_on_the_order_in_which_samples_come():
    indices = np.random.default_rng(0).permutation(30_000)
    whole, parts = AugmentedShare(5, 0.3), AugmentedShare(5, 0.3)
    found = np.concatenate([parts.keeps(part) for part in np.array_split(indices, 7)])
    np.testing.assert_array_equal(found, whole.keeps(indices))
    assert parts.keeps(np.empty(0, np.int64)).shape == (0,)


def test_all_of_them_is_what_is_trained_on_without_the_option(train_job, tmp_path):
    jsd = {"objective": {"kind": "jsd"}, "epochs": 1}
    train(train_job(tmp_path / "all", data={"augmented_share": 1.0}, **jsd))
    train(train_job(tmp_path / "without", **jsd))
    assert_same_training(tmp_path / "all", tmp_path / "without")


def test_none_of_them_is_the_clean_view_alone(train_job, tmp_path):
    """Views that are equal have no divergence, whatever its weight is."""
    train(train_job(data={"augmented_share": 0.0}, objective={"kind": "jsd"}, epochs=1))
    metrics = [entry for entry in read_metrics(tmp_path / "out") if "divergence" in entry]
    assert len(metrics) == 7
    assert max(abs(entry["divergence"]) for entry in metrics) < 1e-6
    train(train_job(tmp_path / "some", data={"augmented_share": 0.5}, objective={"kind": "jsd"}, epochs=1))
    some = [entry["divergence"] for entry in read_metrics(tmp_path / "some") if "divergence" in entry]
    assert min(some) > 1e-6


def test_a_training_goes_on_with_the_same_samples(train_job, tmp_path):
    changes = {"data": {"augmented_share": 0.3, "crop_padding": 1}, "objective": {"kind": "jsd"}}
    train(train_job(tmp_path / "whole", **changes))
    with pytest.raises(SystemExit):
        train(train_job(**changes), stopped=StopAfter(4))
    train(train_job(**changes))
    assert_same_training(tmp_path / "out", tmp_path / "whole")


def test_it_counts_where_it_is_given(train_job):
    plain = train_job()
    assert "augmented_share" not in plain.model_dump()["data"]
    found = {train_job(data={"augmented_share": share}).identity("0") for share in (0.25, 0.5)}
    assert len({plain.identity("0"), *found}) == 3


@pytest.mark.parametrize("key", ["views_by_epoch", "views_as_samples"])
def test_it_needs_the_views_of_a_sample_together(train_job, key):
    with pytest.raises(JobError, match="data.augmented_share needs all views of a sample in one batch"):
        train_job(data={"augmented_share": 0.5, key: True})
    with pytest.raises(JobError, match="data.augmented_share: got 1.5"):
        train_job(data={"augmented_share": 1.5})
