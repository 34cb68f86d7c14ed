"""An objective of somebody else: one file (`toys.smoothed`) and one line in `OBJECTIVES`."""

import json

import pytest
import torch

from passband.jobs.training.log import read_metrics
from passband.jobs.training.objectives import OBJECTIVES
from tests.extensions.conftest import write_yaml
from tests.extensions.toys.smoothed import Smoothed
from tests.jobs.training.objectives.made import entropies64, make_batch, make_model, make_objective, sgd
from tests.jobs.training.objectives.test_contract import ObjectiveContract


@pytest.fixture(autouse=True)
def line(monkeypatch):
    monkeypatch.setitem(OBJECTIVES, "smoothed", Smoothed)


class TestSmoothed(ObjectiveContract):
    samples = {"smoothed": [{}, {"smoothing": 0.3}, {"on": "all"}]}


def test_the_loss_is_the_mean_over_the_smoothed_labels():
    model, batch = make_model(), make_batch()
    logits = model.double()(batch.first.double()).detach()
    classes = range(logits.shape[1])
    others = sum(entropies64(logits, torch.full_like(batch.labels, label)) for label in classes) / len(classes)
    expected = (0.7 * entropies64(logits, batch.labels) + 0.3 * others).mean().item()
    model = make_model()
    metrics = make_objective("smoothed", {"smoothing": 0.3}).step(model, sgd(model), batch)
    assert metrics["loss"].item() == pytest.approx(expected, abs=1e-6)


@pytest.fixture
def train_file(passband, write_job, tmp_path):
    def write(**objective):
        given = {
            "kind": "train",
            "name": "toy",
            "data": {"path": str(tmp_path / "set")},
            "network": {"kind": "lenet"},
            "objective": {"kind": "smoothed", **objective},
            "epochs": 2,
            "batch_size": 50,
            "optimizer": {"lr": 0.05},
            "output": {"uri": str(tmp_path / "run"), "log_every_steps": 1, "tensorboard": False},
            "compute": {"device": "cpu"},
        }
        return write_yaml(tmp_path / "train.yaml", given)

    return write


def test_a_training_goes_by_it_and_is_found_done(passband, write_job, train_file, tmp_path):
    assert passband("run", write_job())[0] == 0
    status, out, error = passband("train", train_file(smoothing=0.2), "--json")
    assert status == 0, error
    losses = [row["loss"] for row in read_metrics(tmp_path / "run") if "loss" in row]
    assert losses[0] > losses[-1] > 0
    before = (tmp_path / "run" / "model.pt").read_bytes()
    assert passband("train", train_file(smoothing=0.2))[0] == 0
    assert (tmp_path / "run" / "model.pt").read_bytes() == before
    status, _, error = passband("train", train_file(smoothing=0.3))
    assert status != 0


def test_it_is_listed(passband):
    _, out, _ = passband("schema", "train")
    assert json.loads(out)["$defs"]["SmoothedObjective"]["properties"]["smoothing"]["default"] == 0.1


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (
            {"smothing": 0.1},
            "objective: unknown key 'smothing' (did you mean smoothing?); allowed: kind, on",
        ),
        ({"smoothing": 1.0}, "objective.smoothing: got 1.0; it must be less than 1.0"),
        ({"kind": "smooth"}, "objective: kind: got 'smooth'; allowed: erm, jsd,"),
        ({"kind": "smooth"}, "smoothed (did you mean smoothed?)"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(passband, train_file, objective, said):
    status, _, error = passband("train", train_file(**objective))
    assert status == 1
    assert said in error
