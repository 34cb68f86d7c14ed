"""What `hfc` reads beside plain evaluations: the log of a training, and attacks with smoothed kernels."""

import pytest
import torch

from passband.jobs.generation.run import generate
from passband.jobs.reproduce.attacking import AttackTask
from passband.jobs.reproduce.graph import Made
from passband.jobs.reproduce.tasks import TrainingTask
from passband.jobs.reproduce.watched import WatchedTask
from passband.jobs.training.predict import accuracy
from passband.pipeline.errors import PassbandError
from passband.pipeline.networks.network import load_network
from passband.pipeline.networks.smoothing import smoothed
from tests.jobs.generation.made import small_job

JOB = {"name": "t", "network": {"kind": "lenet"}, "objective": {"kind": "erm"}, "epochs": 4, "batch_size": 50}


def never():
    return False


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A dataset and a training on it that is watched after every second epoch."""
    folder, threads = tmp_path_factory.mktemp("frequencies"), torch.get_num_threads()
    generate(small_job(folder / "set", views=["clean", {"radial": {"high": 4}, "name": "low"}]))
    needs = {"data": Made("0" * 64, str(folder / "set"))}
    job = JOB | {"data": {"views": ["clean"]}, "watch": {"views": ["clean", "low"], "every_epochs": 2}}
    results = TrainingTask(job, "data").run(str(folder / "training"), needs, never)
    torch.set_num_threads(threads)
    return needs | {"training": Made("1" * 64, str(folder / "training"))}, results


def test_the_log_is_read_by_view_and_epoch(made, tmp_path):
    needs, trained = made
    found = WatchedTask("training", ("clean", "low"), (2, 4)).run(str(tmp_path), needs, never)["accuracy"]
    assert {view: list(epochs) for view, epochs in found.items()} == dict.fromkeys(
        ("clean", "low"), ["epoch 2", "epoch 4"]
    )
    for view in ("clean", "low"):
        assert found[view]["epoch 4"] == trained["accuracy"][f"accuracy/train/{view}"]
    with pytest.raises(PassbandError, match="has not watched 3; delete it"):
        WatchedTask("training", ("clean", "low"), (3,)).run(str(tmp_path / "other"), needs, never)
    assert len(WatchedTask("training", ("clean",), (2,)).identity(needs)) == 64


def test_attacks_are_told_by_rho(made, tmp_path):
    needs, _ = made
    task = AttackTask("training", "data", {"fgsm": {"kind": "fgsm", "radius": 0.1}}, (0, 0.5))
    found = task.run(str(tmp_path), needs, never)["accuracy"]
    assert {rho: list(values) for rho, values in found.items()} == dict.fromkeys(("0", "0.5"), ["clean", "fgsm"])
    network = load_network(needs["training"].path)
    for rho in (0, 0.5):
        clean = accuracy(smoothed(network, rho), needs["data"].path, "clean", 100)
        assert found[f"{rho:g}"]["clean"] == pytest.approx(clean)
        assert found[f"{rho:g}"]["fgsm"] <= clean
    other = AttackTask("training", "data", {"fgsm": {"kind": "fgsm", "radius": 0.2}}, (0, 0.5))
    assert task.identity(needs) != other.identity(needs)
