"""What a training keeps of some of its steps: bit for bit what a shorter one ends with."""

import pytest
import torch

from passband.jobs.common.overwrite import claimed
from passband.jobs.training.checkpoint import kept_objective
from passband.jobs.training.objectives.fgmix import FgMixOptions
from passband.jobs.training.objectives.policy import Policy
from passband.jobs.training.plan import plan_training
from passband.jobs.training.run import train
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import kept_name
from passband.pipeline.networks.network import load_network
from passband.pipeline.store import LocalStore
from tests.jobs.training.test_run import StopAfter

FGMIX = {"kind": "fgmix", "start_step": 20}
CHANGES = {
    "epochs": None,
    "optimizer": {"kind": "adam", "lr": 1e-3, "weight_decay": 0.0},
    "schedule": {"kind": "constant"},
    "objective": FGMIX,
}
"""Of 36 steps an epoch."""


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


@pytest.fixture
def job(train_job, domains, tmp_path):
    def make(name, steps, keep=(), **changes):
        output = {"keep_steps": list(keep)}
        return train_job(tmp_path / name, path=domains, steps=steps, output=output, **CHANGES, **changes)

    return make


def test_a_kept_step_is_the_end_of_a_shorter_training(job, tmp_path):
    train(job("long", 40, keep=[0, 10, 30, 40], swa={"start": 0.1}))
    long = LocalStore(tmp_path / "long")
    for steps in (10, 30):
        train(job(f"short-{steps}", steps, keep=[steps]))  # without a mean of the weights, which moves none
        ends = load_network(tmp_path / f"short-{steps}").state_dict()
        assert same(load_network(long.path(kept_name(steps, "model"))).state_dict(), ends)
    states = [kept_objective(store, 30) for store in (long, LocalStore(tmp_path / "short-30"))]
    policies = [Policy(FgMixOptions(), 1, torch.device("cpu")) for _ in states]
    for policy, state in zip(policies, states, strict=True):
        policy.load_state_dict(state["learned"])
        assert (state["steps_done"], policy.state_dict()["policy"]["steps"]) == (30, 10)
    assert torch.equal(*(policy.state_dict()["policy"]["weights"] for policy in policies))
    means = [long.exists(kept_name(step, "average")) for step in (0, 10, 30, 40)]
    assert means == [False, False, False, True]  # an epoch has 36 steps
    assert same(load_network(long.path(kept_name(40, "average"))).state_dict(), load_network(long.root).state_dict())
    with pytest.raises(PassbandError, match=r"kept/000020-objective\.pt: is not there; keep it by output\.keep_steps"):
        kept_objective(long, 20)


def test_keeping_changes_no_weight_and_no_identity_and_goes_on_after_a_stop(job, tmp_path):
    kept, plain = job("kept", 30, keep=[0, 25]), job("plain", 30)
    assert kept.identity("d") == plain.identity("d")
    assert "keep_steps" not in plain.model_dump()["output"]
    assert plan_training(kept).writes["kept"] > 2 * 4 * 1000
    assert "kept" not in plan_training(plain).writes
    with pytest.raises(SystemExit):
        train(kept, stopped=StopAfter(12))
    train(kept)
    train(plain)
    assert same(load_network(tmp_path / "kept").state_dict(), load_network(tmp_path / "plain").state_dict())
    assert LocalStore(tmp_path / "kept").exists(kept_name(25, "model"))
    assert claimed(tmp_path / "kept").kind == "training"  # all of it is its own
