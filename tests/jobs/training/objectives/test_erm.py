import pytest
import torch

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


@pytest.mark.parametrize(("on", "views"), [("clean", 1), ("all", 3)])
def test_step_is_the_gradient_of_the_mean_over_views_and_samples(on, views):
    model, batch = make_model(), make_batch(7)
    used = list(batch.images.values())[:views]

    def loss(logits):
        return sum(entropies64(logits(images), batch.labels).mean() for images in used) / views

    value, expected = gradient64(model, loss)
    metrics = make_objective("erm", {"on": on}).step(model, sgd(model, 0), batch)
    assert float(metrics["loss"]) == pytest.approx(float(value), rel=1e-5)
    length = sum((g**2).sum() for g in expected) ** 0.5
    assert float(metrics["gradient_norm"]) == pytest.approx(float(length), rel=1e-5)
    assert_close(step_taken(make_objective("erm", {"on": on}), model, batch), expected)


def test_bfloat16_changes_the_forward_pass_alone():
    exact, rounded, batch = make_model(), make_model(), make_batch()
    plain = step_taken(make_objective("erm"), exact, batch)
    low = step_taken(make_objective("erm", autocast=torch.bfloat16), rounded, batch)
    assert all(parameter.dtype == torch.float32 for parameter in rounded.parameters())
    assert not all(torch.equal(one, other) for one, other in zip(plain, low, strict=True))
    for one, other in zip(plain, low, strict=True):
        torch.testing.assert_close(one, other, rtol=0.1, atol=0.02)
