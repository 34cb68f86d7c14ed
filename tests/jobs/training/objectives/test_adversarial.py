import copy

import pytest
import torch
from torch import nn

from passband.jobs.training.objectives.adversarial import AdversarialOptions
from passband.jobs.training.pgd import Pgd
from tests.jobs.training.objectives.made import (
    CLASSES,
    SIDE,
    assert_close,
    entropies64,
    gradient64,
    make_batch,
    make_model,
    make_objective,
    sgd,
    step_taken,
)


@pytest.mark.parametrize("options", [{}, {"norm": "l2", "on": "all"}, {"random_start": False}], ids=str)
def test_a_radius_of_zero_is_erm_to_the_bit(options):
    models = [make_model(norm=True) for _ in range(2)]
    for model, name, given in zip(models, ("adversarial", "erm"), (options | {"radius": 0}, options), strict=True):
        kept = given if name == "adversarial" else {"on": given.get("on", "clean")}
        objective, optimizer = make_objective(name, kept), sgd(model, 0.1)
        for seed in range(3):
            objective.step(model, optimizer, make_batch(seed=seed))
    for one, other in zip(*(model.state_dict().values() for model in models), strict=True):
        assert torch.equal(one, other)


def linear():
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 2))
    with torch.no_grad():
        model[1].weight.normal_(generator=torch.Generator().manual_seed(1))
        model[1].bias.zero_()
    return model


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_step_on_a_linear_model_is_that_at_the_worst_images(norm):
    """Two classes: the loss of label 0 grows along w1 - w0; linf meets the corner from wherever it begins."""
    model, batch = linear(), make_batch()
    batch.labels.remainder_(2)
    batch.first.mul_(0.5).add_(0.25)  # so that the box does not matter
    w = (model[1].weight[1] - model[1].weight[0]).detach() * torch.where(batch.labels == 0, 1, -1)[:, None]
    worst = w.sign() if norm == "linf" else w / w.norm(dim=1, keepdim=True)
    images = batch.first + 0.1 * worst.view_as(batch.first)

    def loss(logits):
        return entropies64(logits(images), batch.labels).mean()

    value, expected = gradient64(model, loss)
    options = {"norm": norm, "radius": 0.1, "steps": 40, "random_start": norm == "linf"}
    metrics = make_objective("adversarial", options).step(copy.deepcopy(model), sgd(model, 0), batch)
    assert float(metrics["loss"]) == pytest.approx(float(value), rel=1e-4)
    assert float(metrics["clean_loss"]) == pytest.approx(
        nn.functional.cross_entropy(model(batch.first), batch.labels).item(), rel=1e-6
    )
    right = (model(images).argmax(1) == batch.labels).float().mean()
    assert float(metrics["adversarial_accuracy"]) == pytest.approx(float(right))
    assert_close(step_taken(make_objective("adversarial", options), model, batch), expected, 1e-3)


def test_the_attack_is_on_the_network_as_it_is_trained_and_moves_its_statistics_once():
    model, batch = make_model(norm=True), make_batch()
    plain = copy.deepcopy(model)

    def losses(images):  # batch norm by the batch
        return nn.functional.cross_entropy(plain(images), batch.labels, reduction="none")

    images = Pgd("linf", 0.1, 5, 0.04)(losses, batch.first)
    plain[1].reset_running_stats()
    loss = nn.functional.cross_entropy(plain(images), batch.labels)
    options = {"radius": 0.1, "steps": 5, "step_size": 0.04, "random_start": False}
    metrics = make_objective("adversarial", options).step(model, sgd(model), batch)
    torch.testing.assert_close(metrics["loss"], loss.detach())
    torch.testing.assert_close(model[1].running_mean, plain[1].running_mean)
    assert int(model[1].num_batches_tracked) == 1


def test_dropout_is_off_in_the_attack_and_on_in_the_update():
    seen = []

    class Seen(nn.Dropout):
        def forward(self, images):
            seen.append(self.training)
            return images

    model = nn.Sequential(nn.Flatten(), Seen(), nn.Linear(SIDE**2, CLASSES))
    make_objective("adversarial", {"steps": 3}).step(model, sgd(model), make_batch())
    assert seen == [False] * 4 + [True]
    assert model[1].training


def test_starts_change_from_step_to_step_and_with_the_seed():
    batch = make_batch()

    def losses(**changes):
        objective, model = make_objective("adversarial", {"steps": 1, "step_size": 0.0}, **changes), make_model()
        return [float(objective.step(model, sgd(model, 0), batch)["loss"]) for _ in range(2)]

    first, second = losses()
    assert first != second
    assert losses() == [first, second]
    assert losses(seed=4)[0] != first


@pytest.mark.parametrize(
    ("options", "attack"),
    [
        ({}, Pgd("linf", 4 / 255, 10, 1 / 255)),
        ({"norm": "l2"}, Pgd("l2", 0.5, 10, 0.125)),
        ({"radius": 0.2, "steps": 5}, Pgd("linf", 0.2, 5, 0.1)),
        ({"radius": 0.2, "steps": 5, "step_size": 0.3}, Pgd("linf", 0.2, 5, 0.3)),
    ],
    ids=str,
)
def test_defaults_of_the_attack(options, attack):
    found = AdversarialOptions.model_validate(options).attack()
    assert (found.norm, found.steps) == (attack.norm, attack.steps)
    assert (found.radius, found.step_size) == pytest.approx((attack.radius, attack.step_size))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"norm": "l1"}, "linf"),
        ({"radius": -0.1}, "greater than or equal to 0"),
        ({"radius": float("inf")}, "finite"),
        ({"steps": 0}, "greater than or equal to 1"),
        ({"step_size": float("nan")}, "finite|greater"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        AdversarialOptions.model_validate(options)
