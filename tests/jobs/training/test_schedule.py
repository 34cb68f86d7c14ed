"""Learning rates at the steps where they are known."""

import pytest

from passband.jobs.training.schedule import make_schedule
from passband.jobs.training.spec import OptimizerSection, ScheduleSection


def rates(steps=100, lr=0.2, **section):
    schedule = make_schedule(ScheduleSection(**section), OptimizerSection(lr=lr), steps, steps_per_epoch=10)
    return [schedule(step) for step in range(steps)]


def test_constant():
    assert set(rates(kind="constant")) == {0.2}


def test_cosine_falls_from_the_rate_to_zero():
    found = rates(kind="cosine")
    assert found[0] == 0.2
    assert found[50] == pytest.approx(0.1)
    assert found[25] == pytest.approx(0.2 * 0.8535534)
    assert 0 < found[-1] < 1e-4
    assert found == sorted(found, reverse=True)


def test_step_falls_at_its_milestones():
    found = rates(kind="step", milestones=[0.75, 0.5], factor=0.1)
    assert found[:50] == [0.2] * 50
    assert found[50:75] == pytest.approx([0.02] * 25)
    assert found[75:] == pytest.approx([0.002] * 25)


def test_one_cycle_rises_and_falls():
    found = rates(kind="one_cycle")
    assert found[0] == pytest.approx(0.2 / 25)
    assert found[30] == pytest.approx(0.2)
    assert found[65] == pytest.approx(0.1, rel=1e-3)
    assert found[-1] < 0.2 * 0.001
    assert max(found) == found[30]


def test_warm_up_is_linear():
    found = rates(kind="constant", warmup_epochs=1)
    assert found[:10] == pytest.approx([0.2 * (step + 1) / 11 for step in range(10)])
    assert found[10:] == [0.2] * 90


def test_one_step_and_no_step():
    assert rates(steps=1, kind="cosine") == [0.2]
    assert rates(steps=0, kind="one_cycle") == []
