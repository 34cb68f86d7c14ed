"""Gradient norm and sharpness of views while training, against one pass over all images in float64."""

import copy

import pytest
import torch

from passband.jobs.training.landscape import landscapes
from passband.jobs.training.log import read_metrics
from passband.jobs.training.predict import stored_order
from passband.jobs.training.run import train
from passband.jobs.training.spec import parse_train_job
from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import load_network

RHO = 0.3


def by_hand(network, digits, view):
    """Norm and sharpness from the gradient of all images at once."""
    network = copy.deepcopy(network).double().eval()
    with open_stream(digits, views=[view], batch_size=355, shuffle=False, rank=0, world_size=1) as stream:
        (batch,) = stream

    def loss():
        return torch.nn.functional.cross_entropy(network(batch.images[view].double() / 255), batch.labels)

    before = loss()
    before.backward()
    flat = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += RHO * parameter.grad / flat.norm()
    return float(flat.norm()), float((loss() - before).detach())


def test_views_are_told_by_their_own_gradients(train_job, digits, tmp_path):
    entry = {"path": str(digits), "views": ["clean", "low"], "every_epochs": 2, "sharpness": RHO}
    results = train(train_job(evaluate={"all": entry}, epochs=3, network={"batch_norm": True}))
    network = load_network(tmp_path / "out")
    for view in ("clean", "low"):
        norm, sharpness = by_hand(network, digits, view)
        assert results["gradient_norms"][f"gradient_norm/all/{view}"] == pytest.approx(norm, rel=1e-3)
        assert results["sharpness"][f"sharpness/all/{view}"] == pytest.approx(sharpness, rel=1e-2)
    lines = [line for line in read_metrics(tmp_path / "out") if "sharpness/all/low" in line]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[-1].items() >= (results["gradient_norms"] | results["sharpness"]).items()


def test_of_a_linear_model_both_have_a_closed_form():
    """Two pixels as logits by a factor f: L = ln(1 + exp(-f d)), d their difference of the right one to the other."""
    model = torch.nn.Sequential(torch.nn.Flatten(), _Scale())
    odds = torch.tensor([[3.0, 1.0]])

    class Opened:
        num_samples = 1

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def __iter__(self):
            images = (255 * odds.log() / odds.log().max()).round().to(torch.uint8).view(1, 1, 1, 2)
            yield _Batch({"clean": images}, torch.tensor([0]), torch.tensor([0]), torch.tensor([0]))

    found = landscapes(model, Opened, ["clean"], 0.5, torch.device("cpu"))["clean"]
    slope = 1 / (1 + torch.tensor(1.0).exp())  # sigmoid(-f d) d, with d = 1 and f = 1
    assert found.gradient_norm == pytest.approx(float(slope))
    at = [torch.tensor(-factor).exp().log1p() for factor in (0.5, 1.0)]  # uphill is a smaller factor
    assert found.sharpness == pytest.approx(float(at[0] - at[1]), rel=1e-5)


def test_measuring_leaves_weights_and_gradients_alone(digits):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 10), torch.nn.BatchNorm1d(10))
    network[1].weight.grad = torch.ones_like(network[1].weight)
    before = copy.deepcopy(network.state_dict())
    landscapes(network, lambda: stored_order(str(digits), ["low"], 50, 1), ["low"], RHO, torch.device("cpu"))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.training
    assert network[1].weight.grad.eq(1).all()
    assert network[1].bias.grad is None


def test_jobs_without_it_keep_their_form_and_all_keep_their_identity(train_job, digits):
    entry = {"path": str(digits), "views": ["low"]}
    plain, sharp = (train_job(evaluate={"all": entry | more}) for more in ({}, {"sharpness": RHO}))
    assert "sharpness" not in plain.model_dump()["evaluate"]["all"]
    assert parse_train_job(sharp.model_dump()) == sharp
    assert sharp.identity("0") == plain.identity("0")
    with pytest.raises(PassbandError, match="evaluate.all.sharpness"):
        train_job(evaluate={"all": entry | {"sharpness": 0}})


class _Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, pixels):
        return self.factor * pixels


class _Batch:
    def __init__(self, images, labels, groups, indices):
        self.images, self.labels, self.groups, self.indices = images, labels, groups, indices
