import copy

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from passband.jobs.training.objectives.perturb import ascent, perturbed
from passband.jobs.training.objectives.sharpdro import confidence_weights
from passband.jobs.training.update import NonFiniteError
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

SHARP = [
    ("sam", {"rho": 0.3}),
    ("sharpdro", {"rho": 0.3}),
    ("sharpdro", {"rho": 0.02, "perturbation": "linf"}),
    ("sharpdro", {"weights": "hard"}),
    ("sharpdro", {"rho": 0.3, "distribution": "agnostic"}),
    ("sharpdro", {"rho": 0.02, "distribution": "agnostic", "perturbation": "linf"}),
    ("sharpdro", {"rho": 0.3, "step": "worst_only"}),
]
every_sharp = pytest.mark.parametrize(("name", "options"), SHARP, ids=str)


def e_star(gradients, rho, perturbation="l2"):
    """METHODS 6, spelled out."""
    if perturbation == "linf":
        return [rho * torch.sign(g) for g in gradients]
    length = sum((g**2).sum() for g in gradients) ** 0.5
    return [rho * g / length for g in gradients]


def test_sam_agrees_with_two_passes_in_float64():
    model, batch = make_model(), make_batch()

    def loss(logits):
        return entropies64(logits(batch.first), batch.labels).mean()

    _, first = gradient64(model, loss)
    there, second = gradient64(model, loss, e_star(first, 0.3))
    taken = copy.deepcopy(model)
    assert_close(step_taken(make_objective("sam", {"rho": 0.3}), taken, batch), second)
    metrics = make_objective("sam", {"rho": 0.3}).step(model, sgd(model), batch)
    assert float(metrics["perturbed_loss"]) == pytest.approx(float(there), rel=1e-5)
    assert metrics["perturbed_loss"] > metrics["loss"]
    assert max((a - b).abs().max() for a, b in zip(first, second, strict=True)) > 1e-2  # so the perturbation shows


def test_aware_sharpdro_takes_the_steps_of_the_authors_code():
    """The released update, spelled out in float64: its SAM keeps the first gradient and adds it to the second."""
    model, batches = make_model(), [make_batch(9, groups=[0, 2, 2, 0, 1, 2, 0, 0, 2], seed=seed) for seed in range(3)]
    theta = copy.deepcopy(model).double()
    weights, velocity = list(theta.parameters()), [torch.zeros_like(weight) for weight in theta.parameters()]
    q, rho, rate, momentum = torch.full((3,), 1 / 3, dtype=torch.float64), 0.05, 0.1, 0.9
    for batch in batches:
        losses = entropies64(theta(batch.first.double()), batch.labels)
        recorded = torch.autograd.grad(losses.mean(), weights)
        length = sum((gradient**2).sum() for gradient in recorded) ** 0.5
        with torch.no_grad():
            here = torch.stack([losses[batch.groups == group].mean() for group in range(3)])
            q = q * torch.exp(0.01 * here)
            q = q / q.sum()
            for weight, gradient in zip(weights, recorded, strict=True):
                weight += rho * gradient / length
        losses = entropies64(theta(batch.first.double()), batch.labels)
        there = sum(q[group] * losses[batch.groups == group].mean() for group in range(3))
        second = torch.autograd.grad(there, weights)
        with torch.no_grad():
            for weight, one, other, speed in zip(weights, recorded, second, velocity, strict=True):
                weight -= rho * one / length
                speed *= momentum
                speed += one + other
                weight -= rate * speed
    objective = make_objective("sharpdro")
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    for batch in batches:
        objective.step(model, optimizer, batch)
    assert_close(list(model.parameters()), weights, 1e-6)
    torch.testing.assert_close(objective.state_dict()["q"], q, rtol=1e-6, atol=0)


@pytest.mark.parametrize("on", ["clean", "all"])
@pytest.mark.parametrize("step", ["recorded", "worst_only"])
@pytest.mark.parametrize(("perturbation", "rho"), [("l2", 0.3), ("linf", 0.02)])
def test_aware_sharpdro_has_the_gradient_of_the_weighted_risk_at_the_perturbed_weights(perturbation, rho, step, on):
    model, batch = make_model(), make_batch(9, groups=[0, 2, 2, 0, 0, 2, 0, 0, 2])
    options = {"perturbation": perturbation, "rho": rho, "eta": 2.0, "on": on, "step": step}
    objective = make_objective("sharpdro", options)
    views = list(batch.images.values())[: 3 if on == "all" else 1]

    def sample_risks(logits):
        return sum(entropies64(logits(images), batch.labels) for images in views) / len(views)

    def group_risks(logits):
        return torch.stack([sample_risks(logits)[batch.groups == group].mean() for group in (0, 2)])

    q = torch.full((3,), 1 / 3, dtype=torch.float64)
    for _ in range(2):
        here = torch.stack([gradient64(model, lambda logits, i=i: group_risks(logits)[i])[0] for i in (0, 1)])
        q = q * torch.exp(2.0 * torch.stack([here[0], torch.zeros(()), here[1]]))
        q = q / q.sum()

        def loss(logits, q=q):
            return (q[[0, 2]] * group_risks(logits)).sum()

        _, mean = gradient64(model, lambda logits: sample_risks(logits).mean())
        _, worst = gradient64(model, loss)
        first = mean if step == "recorded" else worst
        _, second = gradient64(model, loss, e_star(first, rho, perturbation))
        expected = [one + other for one, other in zip(mean, second, strict=True)] if step == "recorded" else second
        assert_close(step_taken(objective, model, batch), expected, 1e-5)
        torch.testing.assert_close(objective.state_dict()["q"], q, rtol=1e-5, atol=0)


@pytest.mark.parametrize("negative", ["cut", "keep"])
@pytest.mark.parametrize("step", ["recorded", "worst_only"])
@pytest.mark.parametrize(("perturbation", "rho"), [("l2", 0.3), ("linf", 0.02)])
def test_agnostic_sharpdro_weighs_samples_by_the_confidence_they_lose(perturbation, rho, step, negative):
    model, batch = make_model(5), make_batch(12)
    batch.labels[4:] = model(batch.first).argmax(1)[4:]  # so that some lose and some gain confidence
    logits_at = {}

    def loss(logits, where, weights=1):
        logits_at[where] = logits(batch.first)
        return (weights * entropies64(logits_at[where], batch.labels)).mean()

    _, first = gradient64(model, lambda logits: loss(logits, "here"))
    offsets = e_star(first, rho, perturbation)
    gradient64(model, lambda logits: loss(logits, "there"), offsets)
    lost = [torch.softmax(logits_at[where].detach(), 1).max(1).values for where in ("here", "there")]
    weights = lost[0] - lost[1] if negative == "keep" else torch.relu(lost[0] - lost[1])
    weights = weights / weights.mean()
    assert 0 < (weights <= 0).sum() < 12
    _, second = gradient64(model, lambda logits: loss(logits, "there", weights), offsets)
    expected = [one + other for one, other in zip(first, second, strict=True)] if step == "recorded" else second
    options = {"distribution": "agnostic", "perturbation": perturbation, "rho": rho}
    objective = make_objective("sharpdro", {**options, "step": step, "negative": negative})
    metrics = objective.step(copy.deepcopy(model), sgd(model, 0), batch)
    assert float(metrics["share_weighted"]) == pytest.approx(float((weights > 0).double().mean()))
    assert_close(step_taken(objective, model, batch), expected, 1e-4 if negative == "keep" else 1e-5)


def test_samples_that_lose_no_confidence_weigh_one():
    here, there = torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[0.0, 3.0], [2.0, 0.0]])
    assert confidence_weights(here, there).tolist() == [1, 1]
    weights = confidence_weights(there, here)
    assert weights.tolist() == pytest.approx([2, 0])
    assert confidence_weights(here, here, "keep").tolist() == [1, 1]


def test_kept_negative_weights_are_the_letter_of_the_equation():
    here, there = torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[0.0, 3.0], [0.5, 0.0]])
    lost = here.softmax(1).amax(1) - there.softmax(1).amax(1)
    assert lost[0] < 0 < lost[1]
    assert confidence_weights(here, there, "keep").tolist() == pytest.approx((lost / lost.mean()).tolist())


@pytest.mark.parametrize("name", ["group_dro", "sharpdro"])
def test_job_files_that_call_eta_step_are_read(name):
    assert make_objective(name, {"step": 0.5}).options == make_objective(name, {"eta": 0.5}).options
    with pytest.raises(ValidationError, match="step"):
        make_objective(name, {"step": 0.5, "eta": 0.5})


@pytest.mark.parametrize("distribution", ["aware", "agnostic"])
def test_the_recorded_gradient_is_part_of_the_norm_that_is_clipped(distribution):
    options, batch = {"distribution": distribution, "rho": 0.3}, make_batch()
    whole = step_taken(make_objective("sharpdro", options), make_model(), batch)
    length = sum((gradient**2).sum() for gradient in whole) ** 0.5
    clipped = step_taken(make_objective("sharpdro", options, clip_norm=0.01), make_model(), batch)
    assert_close(clipped, [gradient * 0.01 / length for gradient in whole])


def test_default_rho_depends_on_the_perturbation():
    model, batch = make_model(), make_batch()
    for perturbation, rho in (("l2", 0.05), ("linf", 0.0005)):
        given = step_taken(
            make_objective("sharpdro", {"perturbation": perturbation, "rho": rho}), copy.deepcopy(model), batch
        )
        default = step_taken(make_objective("sharpdro", {"perturbation": perturbation}), copy.deepcopy(model), batch)
        assert all(torch.equal(one, other) for one, other in zip(given, default, strict=True))


@every_sharp
def test_weights_come_back_bit_for_bit(name, options):
    model, batch = make_model(norm=True), make_batch()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    make_objective(name, options).step(model, sgd(model, 0.0), batch)
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@every_sharp
def test_running_statistics_are_those_of_the_first_pass(name, options):
    model, batch = make_model(norm=True), make_batch()
    once = copy.deepcopy(model)
    once(batch.first)
    make_objective(name, options).step(model, sgd(model), batch)
    norm, expected = model[1], once[1]
    assert norm.num_batches_tracked == 1
    assert torch.equal(norm.running_mean, expected.running_mean)
    assert torch.equal(norm.running_var, expected.running_var)
    assert norm.track_running_stats


def test_a_compiled_model_takes_the_same_steps():
    model = make_model(norm=True)
    plain = copy.deepcopy(model)
    compiled = torch.compile(model, backend="eager")
    for seed in range(2):
        make_objective("sam", {"rho": 0.3}).step(compiled, sgd(compiled, 0.1), make_batch(seed=seed))
        make_objective("sam", {"rho": 0.3}).step(plain, sgd(plain, 0.1), make_batch(seed=seed))
    assert model[1].num_batches_tracked == 2
    for one, other in zip(model.state_dict().values(), plain.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_perturbed_pass_normalizes_by_the_batch():
    model, batch = make_model(norm=True), make_batch()

    def loss(logits):
        return entropies64(logits(batch.first), batch.labels).mean()

    _, first = gradient64(model, loss)
    _, second = gradient64(model, loss, e_star(first, 0.3))
    assert_close(step_taken(make_objective("sam", {"rho": 0.3}), model, batch), second, 1e-5)


def test_layers_in_evaluation_mode_are_left_alone():
    model, batch = make_model(norm=True), make_batch()
    model[1].eval()
    with perturbed(model, []):
        assert model[1].track_running_stats
        assert torch.equal(model(batch.first), copy.deepcopy(model)(batch.first))
    make_objective("sam").step(model, sgd(model), batch)
    assert model.training
    assert not model[1].training
    assert model[1].num_batches_tracked == 0


def test_zero_gradient_means_no_perturbation():
    model = make_model()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for norm in ("l2", "linf"):
        assert all(torch.equal(offset, torch.zeros_like(offset)) for _, offset in ascent(model, 0.05, norm))


def test_perturbation_has_the_length_asked_for():
    model, batch = make_model(), make_batch()
    nn.functional.cross_entropy(model(batch.first), batch.labels).backward()
    length = sum((offset**2).sum() for _, offset in ascent(model, 0.05, "l2")) ** 0.5
    assert float(length) == pytest.approx(0.05, rel=1e-5)
    for parameter, offset in ascent(model, 0.05, "linf"):
        torch.testing.assert_close(offset, torch.where(parameter.grad > 0, 0.05, -0.05))


def test_frozen_parameters_are_not_perturbed():
    model, batch = make_model(), make_batch()
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    make_objective("sam", {"rho": 1.0}).step(model, sgd(model), batch)
    assert torch.equal(model[0].weight, before)


def test_only_the_second_gradient_is_clipped():
    model, batch = make_model(), make_batch()

    def loss(logits):
        return entropies64(logits(batch.first), batch.labels).mean()

    _, first = gradient64(model, loss)
    _, second = gradient64(model, loss, e_star(first, 0.3))
    length = sum((g**2).sum() for g in second) ** 0.5
    clipped = [g * 0.01 / length for g in second]
    assert_close(step_taken(make_objective("sam", {"rho": 0.3}, clip_norm=0.01), model, batch), clipped)


@every_sharp
def test_overflow_at_the_perturbed_weights_leaves_everything_as_it_was(name, options):
    objective, model, batch = make_objective(name, {**options, "rho": 3e38}), make_model(norm=True), make_batch()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    state = copy.deepcopy(objective.state_dict())
    with pytest.raises(NonFiniteError) as caught:
        objective.step(model, sgd(model), batch)
    assert caught.value.indices == batch.indices.tolist()
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert model[1].track_running_stats
    assert objective.state_dict().keys() == state.keys()
    assert all(torch.equal(objective.state_dict()[key], state[key]) for key in state)
