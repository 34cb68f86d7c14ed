import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from passband.jobs.training.objectives.jsd import jensen_shannon
from tests.jobs.training.objectives.made import (
    assert_close,
    entropies64,
    gradient64,
    make_batch,
    make_model,
    make_objective,
    step_taken,
)


def random_logits(views, count=9, classes=5, scale=2.0):
    return scale * torch.randn(views, count, classes, generator=torch.Generator().manual_seed(views))


def test_equal_views_do_not_diverge():
    logits = random_logits(1).repeat(4, 1, 1)
    assert jensen_shannon(logits).abs().max() < 1e-6


def test_divergence_of_two_views_is_scipys():
    logits = random_logits(2).double()
    p, q = logits.softmax(2).numpy()
    np.testing.assert_allclose(jensen_shannon(logits).numpy(), jensenshannon(p, q, axis=1) ** 2, rtol=1e-10)


def test_opposite_certainties_reach_the_bound():
    logits = torch.tensor([[[50.0, 0, 0]], [[0, 50.0, 0]], [[0, 0, 50.0]]])
    torch.testing.assert_close(jensen_shannon(logits), torch.tensor([np.log(3)], dtype=torch.float32))


def test_mixture_is_clamped_before_its_logarithm():
    logits = torch.tensor([[[0.0, -17.0]], [[0.0, -19.0]]], dtype=torch.float64)
    p = logits.softmax(2).numpy()
    assert p[:, :, 1].max() < 1e-7
    mixture = np.clip(p.mean(0), 1e-7, 1)
    expected = (p * np.log(p / mixture)).sum(2).mean(0)
    np.testing.assert_allclose(jensen_shannon(logits).numpy(), expected, rtol=1e-6)
    assert expected[0] < 0  # so the clamp shows


def test_gradient_agrees_with_finite_differences():
    assert torch.autograd.gradcheck(jensen_shannon, random_logits(3, count=4).double().requires_grad_())


def test_gradient_stays_finite_where_probabilities_underflow():
    logits = torch.tensor([[[500.0, 0, -500]], [[-500.0, 0, 500]]], requires_grad=True)
    jensen_shannon(logits).sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("weight", [0.25, 12.0])
def test_step_is_the_gradient_of_entropy_plus_divergence(weight):
    model, batch = make_model(), make_batch(views=3)

    def loss(logits):
        views = [logits(images) for images in batch.images.values()]
        p = [view.softmax(1) for view in views]
        mean = sum(p) / 3
        divergence = sum((q * (q / mean).log()).sum(1) for q in p) / 3
        return entropies64(views[0], batch.labels).mean() + weight * divergence.mean()

    value, expected = gradient64(model, loss)
    assert_close(step_taken(make_objective("jsd", {"weight": weight}), model, batch), expected, 1e-5)
    metrics = make_objective("jsd", {"weight": weight}).step(model, torch.optim.SGD(model.parameters(), lr=0), batch)
    total = metrics["cross_entropy"] + weight * metrics["divergence"]
    torch.testing.assert_close(metrics["loss"], total)
    assert value > 0


def test_default_weight_is_that_of_augmix_and_prime():
    assert make_objective("jsd").options.weight == 12


def test_one_view_is_refused():
    with pytest.raises(ValueError, match="two or more; it is given \\['clean'\\]"):
        make_objective("jsd", views=("clean",))
