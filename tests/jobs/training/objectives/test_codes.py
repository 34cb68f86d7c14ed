"""Objectives on codes that have no weights of their own: CORAL, and manifold mixup."""

import copy

import numpy as np
import pytest
import torch

from passband.jobs.training.addressed import generator_at, key_of
from passband.jobs.training.objectives.coral import moment_distance
from tests.jobs.training.objectives.made import (
    assert_close,
    entropies64,
    make_batch,
    make_model,
    make_objective,
    part,
    sgd,
    step_taken,
)


def distance64(codes, groups, kept):
    """Return the distance of moments by torch.cov, spelled out for each pair of the domains `kept`."""
    total, pairs = 0.0, 0
    for place, one in enumerate(kept):
        for other in kept[place + 1 :]:
            first, second = codes[groups == one], codes[groups == other]
            total = total + ((first.mean(0) - second.mean(0)) ** 2).mean()
            total = total + ((torch.cov(first.T) - torch.cov(second.T)) ** 2).mean()
            pairs += 1
    return total / pairs


def test_distances_of_moments_are_those_of_the_formula():
    codes, groups = torch.randn(12, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 4, 7, 7] * 3)
    groups[1], groups[0] = 5, 4  # one sample alone is of no covariance
    kept = [group for group in groups.unique().tolist() if (groups == group).sum() > 1]
    assert len(kept) == 3
    torch.testing.assert_close(moment_distance(codes, groups), distance64(codes, groups, kept))
    same = torch.cat([codes, codes])
    assert float(moment_distance(same, torch.arange(24) // 12)) == 0
    assert float(moment_distance(codes[:3], torch.tensor([0, 0, 1]))) == 0
    assert float(moment_distance(codes, groups)) != float(moment_distance(codes + codes, groups))


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_a_step_of_coral_is_the_gradient_of_the_formula(weight):
    model, batch = make_model(), make_batch(20)
    exact = copy.deepcopy(model).double()
    codes = exact[:-1](batch.first.double())
    distance = distance64(codes, batch.groups, [0, 1, 2])
    value = entropies64(exact[-1](codes), batch.labels).mean() + weight * distance
    expected = list(torch.autograd.grad(value, list(exact.parameters())))
    metrics = make_objective("coral", {"weight": weight}).step(model, sgd(model, 0), batch)
    assert float(metrics["loss"]) == pytest.approx(value.item(), rel=1e-5)
    assert float(metrics["moment_distance"]) == pytest.approx(distance.item(), rel=1e-5)
    assert_close(step_taken(make_objective("coral", {"weight": weight}), model, batch), expected)


def test_coral_of_one_domain_is_refused_by_name():
    with pytest.raises(ValueError, match="coral needs two or more groups; the training set has 1"):
        make_objective("coral", num_groups=1)


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_a_step_of_mixed_codes_is_the_gradient_of_the_formula(per):
    """Rows of the batch stand in another order than their plan indices, in which pairs are drawn."""
    model, order = make_model(), torch.tensor([2, 0, 3, 1, 4])
    batch = part(make_batch(5), order)
    rng = generator_at(key_of("manifold_mixup", 3, 0))
    partners = rng.permutation(5)
    shares = rng.beta(2.0, 2.0, 5 if per == "sample" else 1) * np.ones(5)
    row = {int(index): number for number, index in enumerate(batch.indices)}
    exact, value = copy.deepcopy(model).double(), 0.0
    codes = exact[:-1](batch.first.double())
    for index, (partner, share) in enumerate(zip(partners, shares, strict=True)):
        one, other = row[index], row[int(partner)]
        found = exact[-1](share * codes[one] + (1 - share) * codes[other])[None]
        for weight, of in ((share, one), (1 - share, other)):
            value = value + weight * entropies64(found, batch.labels[of : of + 1]).sum() / 5
    expected = list(torch.autograd.grad(value, list(exact.parameters())))
    options = {"at": "codes", "per": per}
    metrics = make_objective("manifold_mixup", options).step(model, sgd(model, 0), batch)
    assert float(metrics["loss"]) == pytest.approx(value.item(), rel=1e-5)
    assert float(metrics["share"]) == pytest.approx(shares.mean(), rel=1e-6)
    assert_close(step_taken(make_objective("manifold_mixup", options), model, batch), expected)


def test_where_it_mixes_is_drawn_for_each_step():
    model, objective = make_model(), make_objective("manifold_mixup")
    found = [float(objective.step(model, sgd(model, 0), make_batch())["mixed_codes"]) for _ in range(40)]
    assert 8 < sum(found) < 32
    assert objective.state_dict() == {"steps_done": 40}
    for at, told in (("codes", 1.0), ("input", 0.0)):
        objective = make_objective("manifold_mixup", {"at": at})
        assert {float(objective.step(model, sgd(model, 0), make_batch())["mixed_codes"]) for _ in range(8)} == {told}


def test_mixed_images_are_those_of_mixup(monkeypatch):
    models, losses = [make_model(), make_model()], []
    monkeypatch.setattr("passband.jobs.training.objectives.mixup.key_of", lambda name, *address: key_of(*address))
    for model, (name, options) in zip(models, (("mixup", {}), ("manifold_mixup", {"at": "input"})), strict=True):
        objective = make_objective(name, options | {"alpha": 0.4})
        losses.append([float(objective.step(model, sgd(model, 0.1), make_batch(seed=s))["loss"]) for s in range(3)])
    assert losses[0] == losses[1]


def test_alpha_0_is_erm():
    models = [make_model(), make_model()]
    for model, (name, options) in zip(models, (("erm", {}), ("manifold_mixup", {"alpha": 0})), strict=True):
        objective = make_objective(name, options)
        for seed in range(6):
            objective.step(model, sgd(model, 0.1), make_batch(seed=seed))
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other)
