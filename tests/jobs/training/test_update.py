"""One update: clipping, precision, and no step on what is not finite."""

import copy

import pytest
import torch
from torch import nn

from passband.jobs.training.batches import TrainBatch, to_device
from passband.jobs.training.update import NonFiniteError, Update
from passband.pipeline.loading import Batch


def made(count=6):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 2, 2), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count) % 3
    batch = Batch({"clean": images}, labels, torch.zeros_like(labels), torch.arange(count) + 100, torch.arange(count))
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    return model, torch.optim.SGD(model.parameters(), lr=0.5), to_device(batch, torch.device("cpu"))


def loss_of(model, batch: TrainBatch):
    return nn.functional.cross_entropy(model(batch.first), batch.labels)


def test_pixels_are_scaled_and_half_floats_are_not():
    _, _, batch = made()
    assert batch.first.dtype == torch.float32
    assert 0.9 < batch.first.max() <= 1
    halves = torch.full((1, 3, 2, 2), 2.5, dtype=torch.float16)
    zeros = torch.zeros(1, dtype=torch.int64)
    found = to_device(Batch({"high": halves}, zeros, zeros, zeros, zeros), torch.device("cpu"))
    assert found.first.eq(2.5).all()


@pytest.mark.parametrize("clip", [None, 1e-3, 1e3])
def test_the_step_is_down_the_gradient_and_no_longer_than_allowed(clip):
    model, optimizer, batch = made()
    before = copy.deepcopy(model)
    gradients = torch.autograd.grad(loss_of(before, batch), list(before.parameters()))
    norm = torch.sqrt(sum(g.square().sum() for g in gradients))
    metrics = Update(torch.device("cpu"), clip_norm=clip).minimize(model, optimizer, loss_of(model, batch), batch)
    torch.testing.assert_close(metrics["gradient_norm"], norm)
    scale = 1.0 if clip is None else min(1.0, clip / norm.item())
    for old, gradient, new in zip(before.parameters(), gradients, model.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.5 * scale * gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_nothing_is_stepped_on_what_is_not_finite(what):
    model, optimizer, batch = made()
    before = copy.deepcopy(model.state_dict())
    loss = loss_of(model, batch)
    # The root has an infinite slope at 0.
    loss = loss * float("nan") if what == "loss" else loss + torch.sqrt(model[1].weight.sum() * 0)
    with pytest.raises(
        NonFiniteError, match=f"the {'loss' if what == 'loss' else 'norm of the gradient'} is nan"
    ) as caught:
        Update(torch.device("cpu")).minimize(model, optimizer, loss, batch)
    assert caught.value.indices == [100, 101, 102, 103, 104, 105]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_autocast_computes_in_half_and_answers_in_float():
    model, _, batch = made()
    exact = Update(torch.device("cpu")).logits(model, batch.first)
    rounded = Update(torch.device("cpu"), autocast=torch.bfloat16).logits(model, batch.first)
    assert exact.dtype == rounded.dtype == torch.float32
    assert torch.equal(rounded, rounded.bfloat16().float())
    assert 0 < (exact - rounded).abs().max() < 0.1
