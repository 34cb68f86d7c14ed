"""Whole trainings that mix codes over domains, on real digits of two domains."""

import numpy as np
import pytest
import torch

from passband.jobs.training.log import read_metrics
from passband.jobs.training.objectives.fgmix import FgMix
from passband.jobs.training.plan import plan_training
from passband.jobs.training.run import train
from passband.pipeline.loading import open_stream
from tests.jobs.training.test_integrity import Notes
from tests.jobs.training.test_run import StopAfter, assert_same_training, weights

MIXING = {"mixture_loss", "mixtures", "extrapolating", "domains_mixed"}
LEARNING = {"scale", "flatness", "adversarial", "discriminator_loss"}


def stopped_training(job, *stops):
    for steps in stops:
        with pytest.raises(SystemExit):
            train(job, stopped=StopAfter(steps))
    return train(job)


@pytest.mark.parametrize("variant", ["fgmix", "A", "E"])
def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(train_job, domains, tmp_path, variant):
    """Before mixing begins, as it begins, and after: with dropout, and with averaged weights."""
    changes = {
        "path": domains,
        "objective": {"kind": "fgmix", "variant": variant, "start_step": 20},
        "network": {"dropout": 0.2},
        "swa": {"start": 0.5},
        "data": {"balance": "group_class"},
    }
    whole = train(train_job(tmp_path / "whole", **changes))
    assert whole["steps"] == 70
    stopped_training(train_job(tmp_path / "stopped", **changes), 9, 10, 7, 20)  # at steps 10, 21, 29 and 50
    assert_same_training(tmp_path / "stopped", tmp_path / "whole")
    lines = [line for line in read_metrics(tmp_path / "whole") if "loss" in line]
    assert [line["step"] for line in lines if line.keys() >= MIXING] == list(range(21, 71))
    learned = [line["step"] for line in lines if line.keys() & LEARNING]
    assert learned == ([] if variant == "A" else list(range(21, 71)))
    assert all(line["domains_mixed"] == 2 for line in lines[20:])
    assert all(line["mixtures"] == 25 for line in lines[20:])  # half a batch of two domains


def test_the_weights_of_mixtures_are_learned_and_some_extrapolate(train_job, domains, tmp_path):
    learns = {"kind": "fgmix", "start_step": 20, "policy_rate": 0.01}
    job = train_job(path=domains, objective=learns, epochs=6, optimizer={"lr": 0.02})
    results = train(job, display=(notes := Notes()))
    assert notes.told == []
    assert results["loss"] < 0.5
    lines = [line for line in read_metrics(tmp_path / "out") if "scale" in line]
    assert lines[0]["scale"] == 3.0 != lines[-1]["scale"]
    assert any(0 < line["extrapolating"] <= 1 for line in lines)
    plan = plan_training(train_job(tmp_path / "planned", path=domains, objective={"kind": "fgmix"}))
    assert (plan.steps, plan.notes) == (70, [])


@pytest.mark.parametrize("kind", ["mixup", "manifold_mixup", "coral", "fgmix"])
def test_swa_averages_what_each_objective_leaves(train_job, domains, tmp_path, kind):
    options = {"start_step": 40} if kind == "fgmix" else {}
    changes = {"path": domains, "objective": {"kind": kind} | options, "schedule": {"kind": "constant"}}
    changes |= {"optimizer": {"lr": 0.01}, "batch_size": 100}
    train(train_job(tmp_path / "swa", swa={"start": 0.5}, epochs=4, **changes))
    ends = []
    for epochs in (3, 4):
        train(train_job(tmp_path / f"{epochs}", epochs=epochs, **changes))
        ends.append(weights(tmp_path / f"{epochs}"))
    for name, value in weights(tmp_path / "swa").items():
        torch.testing.assert_close(value, (ends[0][name] + ends[1][name]) / 2, rtol=0, atol=1e-6)
    assert not torch.equal(ends[0]["body.0.weight"], ends[1]["body.0.weight"])


def test_what_an_objective_notes_is_told(train_job, domains, tmp_path, monkeypatch):
    monkeypatch.setattr(FgMix, "notes", lambda self, stream: [f"{stream.num_samples} samples"])
    job = train_job(path=domains, objective={"kind": "fgmix"}, epochs=1)
    assert plan_training(job).notes == ["1797 samples"]
    train(job, display=(notes := Notes()))
    assert notes.told == ["1797 samples"]


def test_groups_and_classes_are_drawn_in_turn(domains):
    """All groups of a class after one another, each pair of both as often, and from its own samples."""
    with open_stream(domains, batch_size=40, balance="group_class", views=["clean"]) as stream:
        label_of, group_of = (
            dict(zip(stream.indices, column, strict=True)) for column in (stream.labels, stream.groups)
        )
        for batch in stream:
            assert batch.labels.tolist() == [label for _ in range(2) for label in range(10) for _ in range(2)]
            assert batch.groups.tolist() == [0, 1] * 20
            assert [label_of[index] for index in batch.indices.tolist()] == batch.labels.tolist()
            assert [group_of[index] for index in batch.indices.tolist()] == batch.groups.tolist()
        drawn = np.concatenate([batch.indices.numpy() for batch in stream])
    largest = [index for index in set(drawn.tolist()) if group_of[index] == 1]
    assert max(np.bincount(drawn)[largest]) == 1  # a pair of many samples does not come round to any again
