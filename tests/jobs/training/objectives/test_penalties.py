import numpy as np
import pytest
import torch

from passband.jobs.training.objectives.irm import scale_derivatives
from tests.jobs.training.objectives.made import (
    assert_close,
    entropies64,
    gradient64,
    make_batch,
    make_model,
    make_objective,
    sgd,
    step_taken,
)

GROUPS = [0, 2, 2, 0, 3, 2, 0, 0, 2]  # of 5: two are absent
NOW = {"anneal_steps": 0}


def logits_and_labels(count=6, classes=4):
    generator = torch.Generator().manual_seed(count)
    logits = 2 * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (count,), generator=generator)


def dummy_penalty(logits, labels):
    """IRMv1 as it is defined: autograd by a factor on the logits, squared."""
    factor = torch.ones((), dtype=logits.dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(entropies64(factor * logits, labels).mean(), factor, create_graph=True)
    return slope**2


def test_scale_derivative_is_autograds():
    logits, labels = logits_and_labels()
    torch.testing.assert_close(scale_derivatives(logits, labels).mean() ** 2, dummy_penalty(logits, labels).detach())


def test_gradient_of_the_penalty_is_that_of_second_order_autograd():
    logits, labels = logits_and_labels()
    logits.requires_grad_()
    (expected,) = torch.autograd.grad(dummy_penalty(logits, labels), logits)
    (found,) = torch.autograd.grad(scale_derivatives(logits, labels).mean() ** 2, logits)
    torch.testing.assert_close(found, expected)


def test_logits_of_zero_have_no_slope():
    assert scale_derivatives(torch.zeros(3, 4), torch.tensor([0, 1, 2])).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("weight", "rescale"), [(100.0, False), (100.0, True), (0.3, True)])
def test_irm_step(weight, rescale):
    model, batch = make_model(), make_batch(9, groups=GROUPS)

    def loss(logits):
        given = logits(batch.first)
        rows = [batch.groups == group for group in (0, 2, 3)]
        risk = sum(entropies64(given[r], batch.labels[r]).mean() for r in rows) / 3
        penalty = sum(dummy_penalty(given[r], batch.labels[r]) for r in rows) / 3
        return (risk + weight * penalty) / (weight if rescale and weight > 1 else 1)

    _, expected = gradient64(model, loss)
    found = step_taken(make_objective("irm", {"weight": weight, "rescale": rescale, **NOW}, num_groups=5), model, batch)
    largest = max(float(g.abs().max()) for g in expected)
    assert_close([g / largest for g in found], [g / largest for g in expected])


@pytest.mark.parametrize("beta", [10.0, 0.0])
def test_vrex_step(beta):
    model, batch = make_model(), make_batch(9, groups=GROUPS)

    def risks(logits):
        losses = entropies64(logits(batch.first), batch.labels)
        return torch.stack([losses[batch.groups == group].mean() for group in (0, 2, 3)])

    def loss(logits):
        return risks(logits).sum() + beta * risks(logits).var(correction=0)

    value, expected = gradient64(model, loss)
    numbers = risks(model).detach().numpy()
    assert float(value) == pytest.approx(np.sum(numbers) + beta * np.var(numbers), rel=1e-5)
    metrics = make_objective("vrex", {"beta": beta, **NOW}, num_groups=5).step(model, sgd(model, 0), batch)
    assert float(metrics["loss"]) == pytest.approx(float(value), rel=1e-5)
    assert float(metrics["risk"]) == pytest.approx(np.sum(numbers), rel=1e-5)
    assert float(metrics["penalty"]) == pytest.approx(np.var(numbers), rel=1e-4)
    assert_close(step_taken(make_objective("vrex", {"beta": beta, **NOW}, num_groups=5), model, batch), expected, 1e-5)


@pytest.mark.parametrize("name", ["irm", "vrex"])
def test_one_group_in_a_batch_and_one_sample_in_it(name):
    model, batch = make_model(), make_batch(1, groups=[1])
    metrics = make_objective(name, NOW).step(model, sgd(model, 0), batch)
    assert torch.isfinite(metrics["loss"])
    if name == "vrex":
        assert metrics["penalty"] == 0


@pytest.mark.parametrize(("name", "full"), [("irm", 100), ("vrex", 10)])
def test_penalty_weighs_one_until_the_annealing_is_over(name, full):
    assert make_objective(name).options.anneal_steps == 500
    objective, model, batch = make_objective(name, {"anneal_steps": 2}), make_model(), make_batch()
    weights = []
    for _ in range(4):
        metrics = objective.step(model, sgd(model, 0), batch)
        weights.append(float((metrics["loss"] - metrics["risk"]) / metrics["penalty"]))
    assert weights == pytest.approx([1, 1, full, full], rel=1e-4)
    assert objective.state_dict() == {"steps_done": 4}


def test_a_weight_below_one_holds_from_the_start():
    model, batch = make_model(), make_batch()
    metrics = make_objective("vrex", {"beta": 0.0}).step(model, sgd(model, 0), batch)
    assert metrics["loss"] == metrics["risk"]


@pytest.mark.parametrize("name", ["irm", "vrex"])
def test_one_group_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} needs two or more groups; the training set has 1"):
        make_objective(name, num_groups=1)
