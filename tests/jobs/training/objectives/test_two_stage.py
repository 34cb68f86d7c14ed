import copy

import numpy as np
import pytest
import torch
from torch import nn

from passband.jobs.training.objectives.eiil import infer_groups
from passband.jobs.training.objectives.irm import scale_derivatives
from passband.jobs.training.objectives.jtt import error_weights
from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.plain import lenet
from tests.jobs.training.objectives.made import (
    assert_close,
    entropies64,
    gradient64,
    make_batch,
    make_model,
    make_objective,
    part,
    sgd,
    step_taken,
)

FIRST = {"epochs": 2, "lr": 0.05, "momentum": 0.5, "weight_decay": 0.001}
QUICK = {"inference_steps": 2000, "inference_rate": 0.005}


def small_lenet():
    torch_state = torch.random.get_rng_state()
    torch.manual_seed(4)
    model = lenet((3, 16, 16), 10)
    torch.random.set_rng_state(torch_state)
    return model


@pytest.fixture
def stream(digits_set):
    with open_stream(digits_set, batch_size=48, seed=2, workers=1) as opened:
        yield opened


def independent_reference(model, digits_set):
    """Train as the options say, in a few plain lines; return the logits of all samples by plan index, and labels."""
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5, weight_decay=0.001)
    with open_stream(digits_set, batch_size=48, seed=2, views=["clean"]) as batches:
        for _ in range(2):
            for batch in batches:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(batch.images["clean"] / 255), batch.labels).backward()
                optimizer.step()
    with open_stream(digits_set, batch_size=355, views=["clean"], shuffle=False) as batches, torch.no_grad():
        batch = next(iter(batches))
        assert batch.indices.tolist() == list(range(355))
        return model(batch.images["clean"] / 255), batch.labels


def test_error_weights_by_hand():
    wrong = torch.tensor([True, False, False, False, True])
    weights = error_weights(wrong, torch.tensor([0, 1, 2, 4]), 5.0)  # plan index 3 has no sample
    assert weights.tolist() == pytest.approx([5 / 3, 1 / 3, 1 / 3, 1 / 3, 5 / 3])
    assert float(weights[[0, 1, 2, 4]].mean()) == pytest.approx(1)


def test_jtt_finds_the_errors_of_its_first_model(stream, digits_set):
    model = small_lenet()
    objective = make_objective("jtt", {"first": FIRST, "up_weight": 6.0})
    objective.prepare(model, stream)
    logits, labels = independent_reference(model, digits_set)
    wrong = logits.argmax(1) != labels
    assert 20 < wrong.sum() < 335
    weights = objective.state_dict()["weights"]
    expected = torch.where(wrong, 6.0, 1.0) * 355 / (355 + 5 * wrong.sum())
    torch.testing.assert_close(weights, expected)


def test_jtt_step_weighs_samples_by_plan_index():
    model, batch = make_model(), make_batch(8, first_index=5)
    weights = torch.rand(20, generator=torch.Generator().manual_seed(0))
    objective = make_objective("jtt")
    objective.load_state_dict({"weights": weights})

    def loss(logits):
        return (weights[5:13] * entropies64(logits(batch.first), batch.labels)).mean()

    _, expected = gradient64(model, loss)
    assert_close(step_taken(objective, model, batch), expected)


def test_jtt_starts_at_the_named_defaults():
    options = make_objective("jtt").options
    assert (options.up_weight, options.first.epochs, options.first.lr, options.first.momentum) == (20, 5, 0.01, 0.9)


def test_inference_splits_by_the_sign_of_the_slope():
    slopes = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    positive = slopes > 0
    for seed in range(2):
        found = infer_groups(slopes, 1000, 0.01, seed).bool()
        assert torch.equal(found, positive) or torch.equal(found, ~positive)


def test_inference_raises_the_penalty():
    slopes = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) - 1

    def penalty(groups):
        return sum(float(slopes[groups == group].sum() / 200) ** 2 for group in (0, 1)) / 2

    penalties = [penalty(infer_groups(slopes, steps, 0.01, seed=0)) for steps in (0, 100, 2000)]
    assert penalties[0] < penalties[1] < penalties[2]


def test_inference_draws_from_its_own_generator():
    slopes = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    before = torch.random.get_rng_state()
    one, same, other = (infer_groups(slopes, 0, 0.1, seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("then", ["group_dro", "irm"])
def test_eiil_trains_on_the_groups_it_infers(stream, digits_set, then):
    model = small_lenet()
    nested = {"group_dro": {"eta": 0.5}, "irm": {"anneal_steps": 0}}
    objective = make_objective("eiil", {"reference": FIRST, "then": then, **nested, **QUICK})
    objective.prepare(model, stream)
    slopes = scale_derivatives(*independent_reference(model, digits_set))
    groups = objective.state_dict()["groups"]
    assert groups.bincount(minlength=2).min() > 20
    agreement = float((groups.bool() == (slopes > 0)).float().mean())
    assert max(agreement, 1 - agreement) > 0.99

    batch = make_batch(30, first_index=100)
    inferred = make_batch(30, first_index=100, groups=groups[100:130].tolist())
    one, other = make_model(), make_model()
    twin = make_objective(then, nested[then], num_groups=2)
    metrics, expected = objective.step(one, sgd(one), batch), twin.step(other, sgd(other), inferred)
    assert metrics == expected
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert str(objective.state_dict()["inner"]) == str(twin.state_dict())


def test_eiil_has_the_papers_inference():
    options = make_objective("eiil").options
    assert (options.inference_steps, options.inference_rate, options.then) == (10_000, 0.001, "group_dro")


def test_eiil_of_one_inferred_group_is_erm():
    model, other, batch = make_model(), make_model(), make_batch()
    objective = make_objective("eiil")
    objective._inner.start(np.zeros(40, np.int64))
    objective.load_state_dict(objective.state_dict() | {"groups": torch.zeros(40, dtype=torch.int64)})
    assert_close(step_taken(objective, model, batch), step_taken(make_objective("erm"), other, batch))


@pytest.mark.parametrize("name", ["jtt", "eiil"])
@pytest.mark.parametrize("training", [True, False])
def test_preparing_leaves_model_stream_and_random_state(stream, name, training):
    model = nn.Sequential(nn.BatchNorm2d(3), small_lenet()).train(training)
    before, random = copy.deepcopy(model.state_dict()), torch.random.get_rng_state()
    stream.set_epoch(3)
    next(iter(stream))
    position = stream.state_dict()
    options = {"first": FIRST} if name == "jtt" else {"reference": FIRST, **QUICK}
    make_objective(name, options).prepare(model, stream)
    assert stream.state_dict() == position
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in before.items())
    assert all(module.training is training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(random, torch.random.get_rng_state())


def test_a_first_model_that_diverges_is_named(stream):
    position = stream.state_dict()
    objective = make_objective("jtt", {"first": FIRST | {"lr": 1e30}})
    with pytest.raises(
        PassbandError, match=r"the first model, epoch 0: the .* is (nan|inf); a smaller rate than 1e\+30"
    ):
        objective.prepare(small_lenet(), stream)
    assert stream.state_dict() == position


@pytest.mark.parametrize("name", ["group_dro", "sharpdro"])
def test_weights_of_groups_start_on_those_that_the_training_set_has(stream, name):
    objective = make_objective(name, num_groups=3)
    objective.prepare(small_lenet(), stream)
    assert objective.state_dict()["q"].tolist() == [1, 0, 0]  # digits have one group


def test_a_part_of_a_batch_is_found_by_its_indices():
    batch = make_batch(8, first_index=5)
    objective = make_objective("jtt")
    objective.load_state_dict({"weights": torch.arange(20.0)})
    model = make_model()
    rows = part(batch, slice(2, 4))
    losses = entropies64(model(rows.first), rows.labels).detach()
    metrics = objective.step(model, sgd(model, 0), rows)
    assert float(metrics["loss"]) == pytest.approx(float((torch.tensor([7.0, 8.0]) * losses).mean()), rel=1e-5)
