"""FGMix: its formulas against the paper's numbers, plain loops and finite differences; its steps against float64."""

import copy
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from passband.jobs.training.addressed import generator_at, key_of
from passband.jobs.training.objectives.codes import LastLayer, coded
from passband.jobs.training.objectives.combinations import Combinations, draw_combinations
from passband.jobs.training.objectives.fgmix import FgMixOptions
from passband.jobs.training.objectives.flatness import discriminator_loss, flatness_loss, fooling_loss, sphere
from passband.jobs.training.objectives.policy import Policy, PolicyOptions
from passband.jobs.training.objectives.weighting import (
    HIDDEN,
    classifier_gradients,
    compatibility_scores,
    cosine_scores,
    dirichlet_scores,
    mixing_weights,
    mlp,
    mlp_weights,
)
from passband.jobs.training.update import Update
from passband.pipeline.errors import PassbandError
from tests.jobs.training.objectives.made import (
    CLASSES,
    assert_close,
    entropies64,
    make_batch,
    make_model,
    make_objective,
    sgd,
    step_taken,
)

CODES, COUNT, DOMAINS, FEATURES = 9, 5, 3, 4
FIXED, LEARNED = ("A", "B", "C", "D"), ("E", "F", "fgmix")


def drawn64(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def layer64(classes=3, bias=True):
    return LastLayer(drawn64(classes, FEATURES, seed=1), drawn64(classes, seed=2) if bias else None)


def some_combinations(seed=0):
    """Return combinations of nine codes, of which the first is of two domains alone."""
    rng = np.random.default_rng(seed)
    present = torch.ones(COUNT, DOMAINS, dtype=torch.bool)
    present[0, 1] = False
    rows = torch.from_numpy(rng.permuted(np.tile(np.arange(CODES), (COUNT, 1)), axis=1)[:, :DOMAINS].copy())
    return Combinations(torch.where(present, rows, 0), present, torch.from_numpy(rng.integers(3, size=COUNT)))


def network64(inputs, *more, seed=3):
    return torch.from_numpy(mlp_weights(np.random.default_rng(seed), inputs, *more))


def as_modules(network, inputs):
    """Return the same small network as torch's own layers."""
    modules = nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)).double()
    nn.utils.vector_to_parameters(network, modules.parameters())
    return modules


def test_the_weights_of_appendix_a():
    gradients = torch.tensor([[-0.5, 1], [-1, 0.5], [-1, -1], [1, -1]], dtype=torch.float64)[None]
    present = torch.ones(1, 4, dtype=torch.bool)
    scores = cosine_scores(gradients, present)
    assert scores[0].tolist() == pytest.approx([-0.465, 0.168, 0.0, -1.897], abs=5e-4)
    weights = mixing_weights(scores, present)
    assert weights[0].tolist() == pytest.approx([0.21218712, 0.39938428, 0.33777486, 0.05065374], abs=5e-8)


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_the_last_layer_are_those_of_autograd(bias):
    layer, codes = layer64(bias=bias), drawn64(COUNT, DOMAINS, FEATURES)
    labels = torch.tensor([0, 1, 2, 1, 0])
    module = nn.Linear(FEATURES, 3, bias=bias).double()

    def loss(weights, code, label):
        return nn.functional.cross_entropy(functional_call(module, weights, (code,)), label)

    weights = {key: value for key, value in layer._asdict().items() if value is not None}
    found = vmap(vmap(grad(loss), (None, 0, None)), (None, 0, 0))(weights, codes, labels)
    columns = [found["weight"], *([found["bias"][..., None]] if bias else [])]
    torch.testing.assert_close(classifier_gradients(codes, labels, layer), torch.cat(columns, -1).flatten(-2))
    assert layer.size == found["weight"][0, 0].numel() + 3 * bias


def test_scores_are_those_of_a_loop_over_ordered_pairs():
    compared, drawn = drawn64(COUNT, DOMAINS, 7), some_combinations()
    network = network64(14)
    phi = as_modules(network, 14)
    expected, cosines = torch.zeros(COUNT, DOMAINS).double(), torch.zeros(COUNT, DOMAINS).double()
    for number, one, other in itertools.product(range(COUNT), range(DOMAINS), range(DOMAINS)):
        if one != other and drawn.present[number, one] and drawn.present[number, other]:
            pair = compared[number, one], compared[number, other]
            expected[number, one] += phi(torch.cat(pair))[0].detach()
            cosines[number, one] += nn.functional.cosine_similarity(*pair, dim=0)
    torch.testing.assert_close(compatibility_scores(network, compared, drawn.present), expected)
    torch.testing.assert_close(cosine_scores(compared, drawn.present), cosines)
    turned = compatibility_scores(network, compared[:, [1, 0]], drawn.present[1:, :2].new_ones(COUNT, 2))
    assert not torch.allclose(turned[:, 0], turned[:, 1])  # phi is not symmetric


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0, 5.0, 8.0])
def test_weights_sum_to_1_for_every_scale(scale):
    present = some_combinations().present
    weights = mixing_weights(3 * drawn64(COUNT, DOMAINS), present, scale)
    torch.testing.assert_close(weights.sum(1), torch.ones(COUNT).double())
    assert (weights[~present] == 0).all()
    assert ((weights < 0).any() or (weights > 1).any()).item() is (scale > 1)
    if scale == 0:
        torch.testing.assert_close(weights, present / present.sum(1, keepdim=True).double())


def test_dirichlet_weights_are_uniform_on_the_simplex():
    scores = dirichlet_scores(np.random.default_rng(0), (20_000, 3))
    weights = mixing_weights(scores, torch.ones(20_000, 3, dtype=torch.bool))
    assert weights.mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.01)
    assert weights.var(0).tolist() == pytest.approx([1 / 18] * 3, abs=0.002)  # of Dirichlet(1, 1, 1)
    assert float((weights[:, 0] > 0.5).double().mean()) == pytest.approx(0.25, abs=0.015)


@pytest.mark.parametrize("bias", [True, False])
def test_flatness_is_the_mean_over_moved_layers(bias):
    layer, codes, labels = layer64(bias=bias), drawn64(COUNT, FEATURES), torch.tensor([0, 1, 2, 1, 0])
    directions = sphere(np.random.default_rng(0), 6, layer.size)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(6).double())
    here = entropies64(layer.logits(codes), labels).mean()
    rises = []
    for direction in directions:
        moved = (0.7 * direction).view(3, -1)
        weight = layer.weight + moved[:, :FEATURES]
        offset = layer.bias + moved[:, FEATURES] if layer.bias is not None else 0
        rises.append(entropies64(codes @ weight.T + offset, labels).mean() - here)
    found = flatness_loss(codes, labels, layer, directions, 0.7)
    assert float(found) == pytest.approx(float(torch.stack(rises).mean()), rel=1e-12)


@pytest.mark.parametrize("compares", ["gradients", "codes"])
def test_gradients_of_flatness_by_phi_and_scale_are_finite_differences(compares):
    layer, codes, drawn = layer64(), drawn64(CODES, FEATURES), some_combinations()
    chosen = codes[drawn.rows]
    compared = chosen if compares == "codes" else classifier_gradients(chosen, drawn.labels, layer)
    directions = sphere(np.random.default_rng(0), 20, layer.size)
    judge = network64(FEATURES, seed=8)

    def loss(learned):
        scores = compatibility_scores(learned[:-1], compared, drawn.present)
        mixtures = drawn.matrix(mixing_weights(scores, drawn.present, learned[-1]), CODES) @ codes
        flat = flatness_loss(mixtures, drawn.labels, layer, directions, 1.0)
        return torch.stack([flat, fooling_loss(judge, mixtures)])

    start = network64(2 * compared.shape[-1], 3.0).requires_grad_()
    assert torch.autograd.gradcheck(loss, start, eps=1e-6, atol=1e-8)
    (found,) = torch.autograd.grad(loss(start)[0], start)
    assert found[-1] != 0
    assert (found[:-1] != 0).any()


def test_the_discriminator_is_trained_by_binary_cross_entropy():
    prior, mixtures = drawn64(6, FEATURES, seed=5), drawn64(COUNT, FEATURES, seed=6)
    network = network64(FEATURES)
    judge = as_modules(network, FEATURES)
    torch.testing.assert_close(mlp(network, prior), judge(prior)[:, 0])
    real, fake = (judge(codes)[:, 0].sigmoid() for codes in (prior, mixtures))
    expected = -(real.log().mean() + (1 - fake).log().mean())
    torch.testing.assert_close(discriminator_loss(network, prior, mixtures), expected)
    torch.testing.assert_close(fooling_loss(network, mixtures), -fake.log().mean())
    undecided = torch.zeros_like(network)
    assert float(fooling_loss(undecided, mixtures)) == pytest.approx(np.log(2))
    assert float(discriminator_loss(undecided, prior, mixtures)) == pytest.approx(2 * np.log(2))


def draw(labels, domains, count=None, seed=0):
    columns = (np.array(column, np.int64) for column in (labels, domains))
    return draw_combinations(np.random.default_rng(seed), *columns, count)


def test_combinations_are_of_one_class_and_of_every_domain_that_has_it():
    rng = np.random.default_rng(1)
    labels, domains = rng.integers(6, size=60), 2 * rng.integers(4, size=60)  # of domains 0, 2, 4 and 6
    labels[domains == 4] %= 3
    drawn = draw(labels, domains, 400)
    assert len(drawn) == 400
    for row, present, label in zip(drawn.rows, drawn.present, drawn.labels, strict=True):
        for place, domain in enumerate((0, 2, 4, 6)):
            assert bool(present[place]) is bool(((labels == int(label)) & (domains == domain)).any())
            if present[place]:
                assert (labels[row[place]], domains[row[place]]) == (int(label), domain)
    shared = [c for c in range(6) if len(set(domains[labels == c])) > 1]
    assert set(drawn.labels.tolist()) == set(shared)
    for domain, label in itertools.product(range(4), shared):
        members = np.flatnonzero((labels == label) & (domains == 2 * domain))
        chosen = drawn.rows[(drawn.labels == label) & drawn.present[:, domain], domain]
        assert set(chosen.tolist()) == set(members.tolist())  # each of a few, in so many draws


def test_a_class_of_one_domain_is_not_combined():
    drawn = draw([0, 0, 1, 1, 2], [0, 1, 0, 0, 1], 50)
    assert set(drawn.labels.tolist()) == {0}
    assert drawn.rows.tolist() == [[0, 1]] * 50
    assert len(draw([0, 1], [0, 1])) == len(draw([0, 0], [3, 3], 5)) == len(draw([], [])) == 0
    assert len(draw([0] * 7, [0, 0, 0, 1, 1, 2, 2])) == 3  # a domain's share of the batch, rounded up


def test_a_matrix_of_weights_mixes_as_the_sum_says():
    drawn, codes, weights = some_combinations(), drawn64(CODES, FEATURES), drawn64(COUNT, DOMAINS, seed=4)
    weights = torch.where(drawn.present, weights, 0)
    expected = (weights[..., None] * codes[drawn.rows]).sum(1)
    torch.testing.assert_close(drawn.matrix(weights, CODES) @ codes, expected)


def weighed_first(objective, model, batch):
    """Return what the first mixing step of `objective` draws, and the weights that it gives."""
    found = coded(objective.update, model, batch.first)
    rng = generator_at(key_of("fgmix", objective.setting.seed, 0))
    drawn = draw_combinations(rng, batch.labels.numpy(), batch.groups.numpy(), objective.options.mixtures)
    return drawn, objective._policy.weigh(rng, found.codes, drawn, found.layer)


@pytest.mark.parametrize("variant", FIXED + LEARNED)
def test_a_step_of_the_network_is_the_gradient_of_eq_2_with_the_weights_as_they_are(variant):
    model, batch = make_model(), make_batch(30)
    options = {"variant": variant, "start_step": 0}
    drawn, weighed = weighed_first(make_objective("fgmix", options), model, batch)
    exact = copy.deepcopy(model).double()
    codes = exact[:-1](batch.first.double())
    mixed = (weighed.weights.double()[..., None] * codes[drawn.rows]).sum(1)
    value = entropies64(exact[-1](codes), batch.labels).mean() + entropies64(exact[-1](mixed), drawn.labels).mean()
    expected = list(torch.autograd.grad(value, list(exact.parameters())))
    metrics = make_objective("fgmix", options).step(model, sgd(model, 0), batch)
    assert float(metrics["loss"]) == pytest.approx(value.item(), rel=1e-5)
    assert float(metrics["extrapolating"]) == pytest.approx(float((weighed.weights < 0).any(1).float().mean()))
    assert_close(step_taken(make_objective("fgmix", options), model, batch), expected)


@pytest.mark.parametrize("variant", LEARNED)
def test_what_is_learned_follows_eq_8_and_leaves_the_network_alone(variant):
    model, batch = make_model(), make_batch(30)
    objective = make_objective("fgmix", {"variant": variant, "adversarial_weight": 0.3, "scale": 2.0, "radius": 0.5})
    drawn, weighed = weighed_first(objective, model, batch)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not weighed.weights.requires_grad
    learned = objective._policy._policy.weights
    exact = copy.deepcopy(model).double()
    codes = exact[:-1](batch.first.double()).detach()
    layer = LastLayer(exact[-1].weight.detach(), exact[-1].bias.detach())
    chosen = codes[drawn.rows]
    compared = chosen if variant == "F" else classifier_gradients(chosen, drawn.labels, layer)
    rng = generator_at(key_of("fgmix", 3, 0))
    draw_combinations(rng, batch.labels.numpy(), batch.groups.numpy(), None)
    directions = sphere(rng, 100, layer.size)
    scores = compatibility_scores(learned[:-1], compared, drawn.present)
    mixtures = drawn.matrix(mixing_weights(scores, drawn.present, learned[-1]), 30) @ codes
    loss = flatness_loss(mixtures, drawn.labels, layer, directions, 0.5)
    if variant != "E":
        judge = objective._policy._discriminator.weights
        noise = torch.from_numpy(rng.standard_normal(mixtures.shape))
        prior = codes.mean(0) + codes.std(0, correction=0) * noise
        judged = discriminator_loss(judge, prior, mixtures.detach())
        torch.testing.assert_close(weighed.discriminator, torch.autograd.grad(judged, judge)[0], rtol=1e-5, atol=1e-7)
        loss = loss + 0.3 * fooling_loss(judge.detach(), mixtures)
    torch.testing.assert_close(weighed.policy, torch.autograd.grad(loss, learned)[0], rtol=1e-4, atol=1e-7)
    assert (weighed.discriminator is None) is (variant == "E")


def test_steps_of_what_is_learned_are_those_of_adam():
    model, batch = make_model(), make_batch(30)
    objective = make_objective("fgmix", {"start_step": 0, "policy_rate": 0.01, "decay": 0.75})
    _, weighed = weighed_first(objective, model, batch)
    before = objective._policy._policy.weights.detach().clone()
    metrics = objective.step(model, sgd(model, 0), batch)
    learned = objective.state_dict()["learned"]
    expected = before - 0.01 * weighed.policy / (weighed.policy.abs() + 1e-8)  # the first step of Adam
    torch.testing.assert_close(learned["policy"]["weights"], expected)
    assert float(metrics["scale"]) == 3.0
    assert learned["policy"]["weights"][-1] != 3.0
    codes = model[:-1](batch.first).detach().double()
    torch.testing.assert_close(learned["moments"], torch.stack([codes.mean(0), codes.var(0, correction=0)]))
    other = make_batch(30, seed=1)
    objective.step(model, sgd(model, 0), other)
    later = model[:-1](other.first).detach().double()
    means = 0.75 * codes.mean(0) + 0.25 * later.mean(0)
    torch.testing.assert_close(objective.state_dict()["learned"]["moments"][0], means)


@pytest.mark.parametrize("on", ["clean", "all"])
def test_before_the_start_step_it_is_erm_to_the_bit(on):
    models = [make_model(norm=True) for _ in range(2)]
    metrics = []
    for model, name in zip(models, ("fgmix", "erm"), strict=True):
        objective = make_objective(name, {"on": on}, steps_per_epoch=5, epochs=2)
        for seed in range(6):  # 0.6 of 10 steps
            metrics.append(objective.step(model, sgd(model, 0.1), make_batch(24, seed=seed)))
        assert name == "erm" or objective.state_dict() == {"steps_done": 6, "learned": {}}
    assert metrics[:6] == metrics[6:]
    for one, other in zip(*(model.state_dict().values() for model in models), strict=True):
        assert torch.equal(one, other)
    assert "mixtures" in make_objective("fgmix", {"start_step": 0}).step(models[0], sgd(models[0]), make_batch(24))


@pytest.mark.parametrize(
    ("changes", "options", "start"),
    [
        ({"steps_per_epoch": 700, "epochs": 8, "steps": 5000}, {}, 3000),
        ({"steps_per_epoch": 500, "epochs": 10}, {}, 3000),
        ({}, {"start_step": 4}, 4),
    ],
)
def test_the_start_step(changes, options, start):
    assert make_objective("fgmix", options, **changes)._start == start


def test_a_batch_without_a_shared_class_is_a_step_of_erm():
    batch = make_batch(4, groups=[0, 0, 0, 0])
    models = [make_model(), make_model()]
    found = make_objective("fgmix", {"start_step": 0}).step(models[0], sgd(models[0]), batch)
    make_objective("erm").step(models[1], sgd(models[1]), batch)
    assert float(found["mixtures"]) == 0
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, other)


def test_one_domain_alone_is_refused_by_name():
    with pytest.raises(ValueError, match="fgmix needs two or more groups; the training set has 1"):
        make_objective("fgmix", num_groups=1)
    with pytest.raises(ValueError, match="fgmix needs two or more groups; the training set has 1"):
        make_objective("fgmix", num_groups=3, occurring_groups=1)


def stream_of(*members, classes=10):
    """Return what a stream says of samples, given as (label, group)."""
    labels, groups = np.array(members).T
    return SimpleNamespace(labels=labels, groups=groups, classes=[f"digit {label}" for label in range(classes)])


def test_classes_that_a_domain_lacks_are_told():
    objective = make_objective("fgmix", num_classes=10, num_groups=4)
    everywhere = [(label, group) for label in range(9) for group in (0, 2, 3)]  # there is no digit 9, nor a group 1
    assert objective.notes(stream_of(*everywhere)) == []
    some = [pair for pair in everywhere if pair not in [(1, 0), (5, 2), (5, 3)]]
    assert objective.notes(stream_of(*some)) == [
        "fgmix: class digit 1 has no sample in group 0; it is mixed over the others",
        "fgmix: class digit 5 has no sample in group 2, 3; it is never mixed",
    ]
    few = [pair for pair in everywhere if pair[0] < 2 or pair[1] == 2]
    told = objective.notes(stream_of(*few))
    assert len(told) == 6
    assert told[-1] == "fgmix: 2 more classes lack samples in a group"


def test_data_whose_domains_share_no_class_are_refused():
    objective = make_objective("fgmix")
    objective.prepare(make_model(), stream_of((0, 0), (0, 1), (1, 0)))
    with pytest.raises(PassbandError, match="no class has samples in two groups"):
        objective.prepare(make_model(), stream_of((0, 0), (0, 0), (1, 1)))


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(1, CLASSES, 4), nn.Flatten()),
        nn.Sequential(nn.Linear(4, CLASSES), nn.Flatten(), nn.Unflatten(1, (4, 4)), nn.Flatten(2), nn.Flatten()),
        nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.Unflatten(1, (6, 1)), nn.Conv1d(6, 4, 1), nn.Flatten()),
    ],
    ids=["no linear layer", "of other codes", "not the last"],
)
def test_networks_that_end_otherwise_are_refused(model):
    with pytest.raises(PassbandError, match="needs a network whose last layer is linear"):
        coded(Update(torch.device("cpu")), model, make_batch().first)
    assert not any(module._forward_hooks for module in model.modules())


def test_states_of_another_variant_are_refused():
    one, other, fixed = (make_objective("fgmix", {"variant": v, "start_step": 0}) for v in ("fgmix", "E", "D"))
    for objective in (one, other, fixed):
        objective.step(model := make_model(), sgd(model), make_batch(30))
    assert fixed.state_dict()["learned"] == {}
    for objective, state in ((one, other), (other, one), (fixed, one)):
        with pytest.raises(ValueError, match="what is learned is"):
            objective.load_state_dict(state.state_dict())
    state = one.state_dict()
    state["learned"]["policy"]["mean"] = state["learned"]["policy"]["mean"][1:]
    with pytest.raises(ValueError, match="this objective keeps"):
        one.load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variant": "G"}, "'fgmix', 'A'"),
        ({"scale": -1}, "greater than or equal to 0"),
        ({"radius": 0}, "greater than 0"),
        ({"mixtures": 0}, "greater than or equal to 1"),
        ({"decay": 1}, "less than 1"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        FgMixOptions.model_validate(options)


def test_what_is_drawn_depends_on_the_seed_alone():
    def begun(seed):
        policy = Policy(PolicyOptions(), seed, torch.device("cpu"))
        policy._begin(5, 7)
        return policy._policy.weights, policy._discriminator.weights

    torch.manual_seed(0)
    first = begun(3)
    torch.manual_seed(1)
    assert all(torch.equal(one, other) for one, other in zip(first, begun(3), strict=True))
    assert not torch.equal(first[0], begun(4)[0])
    first_layer = first[0].detach()[: 14 * HIDDEN]  # of two compared vectors of 7
    assert 0.9 * 14**-0.5 < float(first_layer.abs().max()) <= 14**-0.5
