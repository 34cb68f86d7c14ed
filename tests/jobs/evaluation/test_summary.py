import numpy as np
import pytest

from passband.jobs.common.jobfile import JobError
from passband.jobs.evaluation.conditions import Condition
from passband.jobs.evaluation.results import Checkpoint, Evaluation
from passband.jobs.evaluation.spec import parse_evaluate_job
from passband.jobs.evaluation.summary import Outcome, Summarizer
from passband.jobs.training.predict import Predictions

IMAGES = {"source": {"kind": "digits"}, "image": {"size": 16}}


def job(**changes):
    given = {"kind": "evaluate", "name": "x", "checkpoint": "c", "test": IMAGES, "output": {"uri": "o"}}
    return parse_evaluate_job(given | {"bootstrap": {"resamples": 50}} | changes)


def outcome(name, correct, kind="corruption", groups=None, dataset="d"):
    """What came out where just `correct` of ten samples (or those marked) are classified correctly."""
    right = np.arange(10) < correct if isinstance(correct, int) else np.array(correct, bool)
    labels = np.zeros(len(right), np.int64)
    groups = labels if groups is None else np.array(groups)
    family, _, level = name.partition("-")
    condition = Condition(name, kind, "v", family, int(level) if level else None)
    return Outcome(condition, Predictions((~right).astype(np.int64), labels, groups, np.arange(len(right))), dataset)


def evaluation(outcomes, baseline=None, **changes):
    summarizer = Summarizer(job(**changes), outcomes, baseline)
    return Evaluation(
        name="b",
        checkpoint=Checkpoint(path="p", sha256="0", network="lenet"),
        job={},
        datasets=[],
        rows=summarizer.rows(),
        corruptions=summarizer.corruptions(),
        summaries=summarizer.summaries(),
    )


GRID = [outcome("fog-1", 8), outcome("fog-2", 6), outcome("snow-1", 9), outcome("snow-2", 5)]
"""Errors: fog 0.2 and 0.4, snow 0.1 and 0.5."""
BASELINE = [outcome("fog-1", 5), outcome("fog-2", 3), outcome("snow-1", 8), outcome("snow-2", 2)]
"""Errors: fog 0.5 and 0.7, snow 0.2 and 0.8."""


def test_mce_by_hand():
    summarizer = Summarizer(job(), GRID, evaluation(BASELINE))
    fog, snow = summarizer.corruptions()
    assert (fog.error, snow.error) == (pytest.approx(0.3), pytest.approx(0.3))
    assert (fog.ce, snow.ce) == (pytest.approx(100 * 0.6 / 1.2), pytest.approx(100 * 0.6 / 1.0))
    found = {summary.name: summary for summary in summarizer.summaries()}
    assert found["mCE"].value == pytest.approx((50 + 60) / 2)
    assert found["mCE"].low < 55 < found["mCE"].high
    assert found["mean_error"].value == pytest.approx(0.3)
    assert found["mean_corruption_accuracy"].value == pytest.approx(0.7)


def test_a_network_relative_to_itself_is_100():
    own = evaluation(GRID)
    found = {summary.name: summary for summary in Summarizer(job(), GRID, own).summaries()}
    assert found["mCE"].value == pytest.approx(100)


def test_without_a_baseline_there_is_no_mce():
    found = evaluation(GRID)
    assert [summary.name for summary in found.summaries] == ["mean_corruption_accuracy", "mean_error"]
    assert [corruption.ce for corruption in found.corruptions] == [None, None]


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (BASELINE[:3], "has no accuracy on snow-2"),
        ([*BASELINE[:3], outcome("snow-2", 2, dataset="e")], "saw other images of snow-2"),
        ([outcome("fog-1", 10), outcome("fog-2", 10), *BASELINE[2:]], "no error on fog"),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(there, message):
    with pytest.raises(JobError, match=message):
        Summarizer(job(), GRID, evaluation(there)).summaries()


def test_groups_by_hand():
    right, groups = [1, 1, 0, 1, 0, 0, 1, 1], [0, 0, 0, 3, 3, 3, 3, 5]
    found = evaluation([outcome("test", right, "test", groups)], groups=True)
    rows = {row.level: (row.accuracy, row.samples) for row in found.of_kind("group")}
    assert rows == {0: (pytest.approx(2 / 3), 3), 3: (0.5, 4), 5: (1.0, 1)}
    worst = found.summary("worst_group")
    assert (worst.value, worst.of) == (0.5, "group 3")
    assert found.accuracy("test") == pytest.approx(5 / 8)
    chosen = evaluation([outcome("test", right, "test", groups)], groups=[5, 0])
    assert [row.level for row in chosen.of_kind("group")] == [5, 0]
    assert chosen.summary("worst_group").of == "group 0"


def test_an_empty_group_is_named():
    with pytest.raises(JobError, match="group 4 has no sample in test; groups there: 0, 2"):
        evaluation([outcome("test", [1, 1], "test", [0, 2])], groups=[0, 4])


def test_an_empty_dataset_is_named():
    with pytest.raises(JobError, match="test: the dataset has no samples"):
        evaluation([outcome("test", np.zeros(0), "test")])


def test_domains_are_averaged_alike_whatever_their_size():
    outcomes = [outcome("test", 9, "test"), outcome("a", [1, 1], "domain"), outcome("b", [0] * 6, "domain")]
    found = evaluation(outcomes)
    assert found.summary("mean_domain_accuracy").value == pytest.approx(0.5)


def test_an_interval_is_the_same_beside_other_conditions():
    alone, beside = evaluation(GRID[1:2]), evaluation(GRID)
    assert alone.rows[0] == beside.rows[1]
    assert beside.rows[1].low < 0.6 < beside.rows[1].high
