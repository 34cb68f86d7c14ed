import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from passband.jobs.training.objectives.group_dro import GroupDroOptions
from passband.jobs.training.objectives.groups import GroupMeans, GroupWeights, group_means
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

ABSENT = None


def risks(*means):
    """Return the risks of groups; None is a group that is absent."""
    return GroupMeans(
        torch.tensor([0.0 if mean is ABSENT else mean for mean in means]),
        torch.tensor([0.0 if mean is ABSENT else 2.0 for mean in means]),
    )


def weights(num_groups, **options):
    return GroupWeights(GroupDroOptions.model_validate(options), num_groups, torch.device("cpu"))


def moved(rule, found):
    rule.state, q = rule.moved(found)
    return q.tolist()


def test_means_of_groups():
    values = torch.tensor([1.0, 2.0, 3.0, 10.0, 5.0])
    found = group_means(values, torch.tensor([2, 0, 2, 3, 2]), 5)
    assert found.means.tolist() == [2, 0, 3, 10, 0]
    assert found.counts.tolist() == [1, 0, 3, 1, 0]
    assert found.present.tolist() == [True, False, True, True, False]
    assert found.over_groups == 5
    assert found.over_samples == pytest.approx(21 / 5)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-5, 5, width=32)), max_size=30))
def test_means_of_groups_agree_with_numpy(rows):
    groups = torch.tensor([group for group, _ in rows], dtype=torch.int64)
    values = torch.tensor([value for _, value in rows], dtype=torch.float64)
    found = group_means(values, groups, 5)
    for group in range(5):
        chosen = values[groups == group].numpy()
        assert found.counts[group] == len(chosen)
        assert float(found.means[group]) == pytest.approx(np.mean(chosen) if len(chosen) else 0, abs=1e-12)


def test_gradient_of_group_means_agrees_with_finite_differences():
    groups = torch.tensor([0, 2, 2, 0, 3])
    values = torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: group_means(v, groups, 4).means ** 2, values)


def test_an_infinite_value_stays_in_its_group():
    found = group_means(torch.tensor([torch.inf, 1.0]), torch.tensor([0, 1]), 2)
    assert found.means.tolist() == [torch.inf, 1]


def test_three_steps_of_exponentiated_weights_by_hand():
    rule = weights(3)
    # 1/3 (e^.01, e^.02, e^.03); then group 1 absent; then only group 2, twice its loss
    for found in (risks(1.0, 2.0, 3.0), risks(0.5, ABSENT, 4.0), risks(ABSENT, ABSENT, 8.0)):
        q = moved(rule, found)
    powers = [math.exp(0.01 * 1.5), math.exp(0.01 * 2), math.exp(0.01 * 15)]
    assert q == pytest.approx([power / sum(powers) for power in powers], rel=1e-6)
    assert float(rule.state.sum()) == pytest.approx(1, abs=1e-15)


def test_absent_groups_keep_their_share_of_each_other():
    rule = weights(4, eta=0.5)
    moved(rule, risks(1.0, 2.0, 3.0, 0.5))
    before = rule.state
    moved(rule, risks(ABSENT, 4.0, ABSENT, ABSENT))
    torch.testing.assert_close(rule.state[[0, 2, 3]] / rule.state[0], before[[0, 2, 3]] / before[0])


def test_large_losses_do_not_overflow():
    rule = weights(2, eta=1.0)
    assert moved(rule, risks(1e5, 0.0)) == [1, 0]
    assert torch.isfinite(rule.state).all()


def test_three_steps_of_hard_weights_by_hand():
    rule = weights(3, weights="hard")
    assert moved(rule, risks(1.0, 2.0, ABSENT)) == [0, 1, 0]
    assert moved(rule, risks(1.5, ABSENT, 1.2)) == [0, 0, 1]  # means 1.05, 2, 1.2: the largest, 1, is absent
    assert moved(rule, risks(1.0, 0.0, 3.0)) == [0, 1, 0]  # means 1.045, 1.8, 1.38: the batch alone would say 2
    assert rule.state.tolist() == pytest.approx([1.045, 1.8, 1.38])


def test_hard_weights_remember_that_a_group_was_never_seen():
    rule = weights(3, weights="hard", decay=0.0)
    moved(rule, risks(1.0, ABSENT, ABSENT))
    assert rule.state.tolist() == [1, -math.inf, -math.inf]
    assert moved(rule, risks(ABSENT, 0.1, ABSENT)) == [0, 1, 0]


def test_groups_without_a_sample_start_at_zero():
    rule = weights(4)
    rule.start(np.array([3, 1, 1, 3, 0]))
    assert rule.state.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    assert moved(rule, risks(1.0, 1.0, ABSENT, ABSENT))[2] == 0


@pytest.mark.parametrize("on", ["clean", "all"])
def test_step_is_the_gradient_of_the_weighted_risk(on):
    objective, model = make_objective("group_dro", {"eta": 0.5, "on": on}, num_groups=4), make_model()
    batch = make_batch(9, groups=[0, 2, 2, 0, 1, 2, 0, 0, 2])
    q = torch.full((4,), 0.25, dtype=torch.float64)
    for _ in range(3):

        def group_risks(logits):
            views = list(batch.images.values())[: 3 if on == "all" else 1]
            losses = sum(entropies64(logits(images), batch.labels) for images in views) / len(views)
            return [losses[batch.groups == group].mean() for group in range(3)]

        here = [gradient64(model, lambda logits, g=g: group_risks(logits)[g])[0] for g in range(3)]
        q = q * torch.tensor([math.exp(0.5 * float(risk)) for risk in here] + [1.0], dtype=torch.float64)
        q = q / q.sum()
        _, expected = gradient64(model, lambda logits, q=q: sum(q[g] * r for g, r in enumerate(group_risks(logits))))
        assert_close(step_taken(objective, model, batch), expected)
        torch.testing.assert_close(objective.state_dict()["q"], q, rtol=1e-5, atol=0)


def test_metrics_name_the_worst_group_that_is_present():
    model, batch = make_model(), make_batch(6, groups=[0, 0, 2, 2, 2, 0])
    metrics = make_objective("group_dro", num_groups=4).step(model, sgd(model, 0), batch)
    losses = entropies64(model(batch.first), batch.labels).detach()
    means = [float(losses[batch.groups == group].mean()) for group in (0, 2)]
    assert metrics["worst_group"] == (0, 2)[int(np.argmax(means))]
    assert float(metrics["worst_group_loss"]) == pytest.approx(max(means), rel=1e-5)
    assert float(metrics["mean_loss"]) == pytest.approx(float(losses.mean()), rel=1e-5)
    assert float(sum(metrics[f"q_{group}"] for group in range(4))) == pytest.approx(1)


@pytest.mark.parametrize("name", ["group_dro", "sharpdro"])
def test_one_group_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} needs two or more groups; the training set has 1"):
        make_objective(name, num_groups=1)
    make_objective("sharpdro", {"distribution": "agnostic"}, num_groups=1)
