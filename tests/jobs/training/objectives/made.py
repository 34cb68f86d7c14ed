"""Small models, batches and objectives for the tests, and gradients by an independent route in float64."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives import OBJECTIVES, Objective, Setting
from passband.jobs.training.update import Update

CLASSES, GROUPS, SIDE = 4, 3, 4


def make_objective(name: str, options: Mapping[str, Any] | None = None, **changes: Any) -> Objective:
    """Return an objective; `changes` are of its setting, or `clip_norm` and `autocast` of its update."""
    update = Update(torch.device("cpu"), changes.pop("clip_norm", None), changes.pop("autocast", None))
    fields = {
        "views": ("clean", "view1", "view2"),
        "num_classes": CLASSES,
        "num_groups": GROUPS,
        "num_samples": 40,
        "steps_per_epoch": 5,
        "epochs": 2,
        "seed": 3,
        "update": update,
    }
    setting = Setting(**(fields | changes))
    objective_class = OBJECTIVES[name]
    resolved = objective_class.Options.model_validate(options or {})
    objective_class.check(resolved, setting)
    return objective_class(resolved, setting)


def make_model(seed: int = 0, *, norm: bool = False) -> nn.Module:
    """Return a smooth network in training mode, with batch norm if `norm`."""
    generator = torch.Generator().manual_seed(seed)
    convolution: list[nn.Module] = [nn.Conv2d(1, 3, 3), *([nn.BatchNorm2d(3)] if norm else []), nn.Tanh()]
    model = nn.Sequential(*convolution, nn.Flatten(), nn.Linear(3 * (SIDE - 2) ** 2, CLASSES))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.7, generator=generator)
    return model


def make_batch(
    count: int = 11, *, views: int = 3, seed: int = 0, groups: list[int] | None = None, first_index: int = 0
) -> TrainBatch:
    """Return a batch of random images; groups are drawn below GROUPS unless given."""
    generator = torch.Generator().manual_seed(1000 + seed)
    images = torch.rand(views, count, 1, SIDE, SIDE, generator=generator)
    names = ["clean", *(f"view{view}" for view in range(1, views))]
    drawn = torch.randint(GROUPS, (count,), generator=generator)
    return TrainBatch(
        dict(zip(names, images, strict=True)),
        labels=torch.randint(CLASSES, (count,), generator=generator),
        groups=drawn if groups is None else torch.tensor(groups),
        indices=torch.arange(first_index, first_index + count),
    )


def part(batch: TrainBatch, rows: slice) -> TrainBatch:
    return TrainBatch(
        {name: images[rows] for name, images in batch.images.items()},
        batch.labels[rows],
        batch.groups[rows],
        batch.indices[rows],
    )


def sgd(model: nn.Module, lr: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr)


def step_taken(objective: Objective, model: nn.Module, batch: TrainBatch) -> list[Tensor]:
    """Return by how much one step of plain gradient descent with rate 1 lowers each parameter: its gradient."""
    before = [parameter.detach().clone() for parameter in model.parameters()]
    objective.step(model, sgd(model), batch)
    return [old - new.detach() for old, new in zip(before, model.parameters(), strict=True)]


Logits = Callable[[Tensor], Tensor]


def gradient64(
    model: nn.Module, loss: Callable[[Logits], Tensor], offsets: list[Tensor] | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Return a loss and its gradients in float64, at the model's weights or `offsets` away from them.

    `loss` is given a function from images to logits and must not use code under test.
    """
    exact = copy.deepcopy(model).double()
    if offsets is not None:
        with torch.no_grad():
            for parameter, offset in zip(exact.parameters(), offsets, strict=True):
                parameter += offset
    value = loss(lambda images: exact(images.double()))
    return value.detach(), list(torch.autograd.grad(value, list(exact.parameters())))


def assert_close(found: list[Tensor], expected: list[Tensor], tolerance: float = 2e-6) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=1e-5, atol=tolerance)


def entropies64(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of each sample, spelled out."""
    return logits.logsumexp(1) - logits.gather(1, labels[:, None])[:, 0]
