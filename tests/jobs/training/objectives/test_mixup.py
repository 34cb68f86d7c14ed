import numpy as np
import pytest
import torch

from passband.jobs.training.objectives import mixup
from passband.jobs.training.objectives.mixup import MixupOptions
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


class Chosen:
    """Draws what it is told, in the order of the plan."""

    def __init__(self, partners, shares):
        self.partners, self.shares = np.array(partners), np.array(shares)

    def permutation(self, count):
        assert count == len(self.partners)
        return self.partners

    def beta(self, one, other, count):
        assert one == other
        assert count == len(self.shares)
        return self.shares


def test_a_step_is_the_gradient_of_the_formula(monkeypatch):
    """Rows of the batch stand in another order than their plan indices, by which pairs are told."""
    model, batch = make_model(), part(make_batch(4), torch.tensor([2, 0, 3, 1]))
    partners, shares = [1, 0, 3, 3], [0.25, 0.5, 1.0, 0.0]
    monkeypatch.setattr(mixup, "generator_at", lambda key: Chosen(partners, shares))
    row = {int(index): number for number, index in enumerate(batch.indices)}

    def loss(logits):
        total = 0.0
        for index, (partner, share) in enumerate(zip(partners, shares, strict=True)):
            one, other = (slice(row[index], row[index] + 1), slice(row[partner], row[partner] + 1))
            found = logits(share * batch.first[one] + (1 - share) * batch.first[other])
            for weight, of in ((share, one), (1 - share, other)):
                total = total + weight * entropies64(found, batch.labels[of]).sum()
        return total / 4

    value, expected = gradient64(model, loss)
    metrics = make_objective("mixup", {"per": "sample"}).step(model, sgd(model, 0), batch)
    assert float(metrics["loss"]) == pytest.approx(float(value), rel=1e-5)
    assert float(metrics["share"]) == pytest.approx(0.4375)
    assert_close(step_taken(make_objective("mixup", {"per": "sample"}), model, batch), expected)


@pytest.mark.parametrize("options", [{"alpha": 0}, {"alpha": 0, "per": "sample", "on": "all"}], ids=str)
def test_alpha_0_is_erm_to_the_bit(options):
    models = [make_model(norm=True) for _ in range(2)]
    for model, name in zip(models, ("mixup", "erm"), strict=True):
        objective = make_objective(name, options if name == "mixup" else {"on": options.get("on", "clean")})
        for seed in range(3):
            objective.step(model, sgd(model, 0.1), make_batch(seed=seed))
    for one, other in zip(*(model.state_dict().values() for model in models), strict=True):
        assert torch.equal(one, other)


def drawn(options, batch, **changes):
    return make_objective("mixup", options, **changes)._drawn(batch, len(batch))


def test_partners_are_a_permutation_and_a_share_is_of_the_batch():
    batch = make_batch(9)
    found = drawn({}, batch)
    matches = (found.images[:, None] == batch.first[None]).flatten(2).all(2)
    assert torch.equal(matches.sum(0), torch.ones(9, dtype=torch.int64))
    assert torch.equal(matches.sum(1), torch.ones(9, dtype=torch.int64))
    assert torch.equal(found.labels, batch.labels[matches.int().argmax(1)])
    assert found.shares.unique().numel() == 1
    assert drawn({"per": "sample"}, batch).shares.unique().numel() == 9


def test_pairs_change_from_step_to_step_and_with_the_seed():
    batch, objective = make_batch(9), make_objective("mixup")
    first = objective._drawn(batch, 9)
    assert torch.equal(objective._drawn(batch, 9).images, first.images)
    objective.step(model := make_model(), sgd(model), batch)
    for later in (objective._drawn(batch, 9), drawn({}, batch, seed=4)):
        assert not torch.equal(later.images, first.images)
        assert not torch.equal(later.shares, first.shares)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_of_the_beta_distribution(alpha):
    shares = drawn({"alpha": alpha, "per": "sample"}, make_batch(4000)).shares
    variance = 1 / (4 * (2 * alpha + 1))
    assert float(shares.mean()) == pytest.approx(0.5, abs=4 * (variance / 4000) ** 0.5)
    assert float(shares.var()) == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"alpha": -1}, "greater than or equal to 0"), ({"alpha": float("inf")}, "finite"), ({"per": "view"}, "batch")],
    ids=str,
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        MixupOptions.model_validate(options)
