"""What a node of the synthetic reproduction computes: points, a network, its margins in the subspaces of its points."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from passband.jobs.reproduce.synthetic.margins import subspace_margins
from passband.jobs.reproduce.synthetic.network import accuracy, descend, perceptron
from passband.jobs.reproduce.synthetic.samples import Points, alternating, rotation, separable

QUANTILES = (0.05, 0.5, 0.95)
Subspaces = dict[str, list[Tensor]]


def study(setting: Mapping[str, Any], checkpoint: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Train a network on synthetic points and measure its margins at points that it has not seen.

    Parameters
    ----------
    setting : ``points`` (a mapping with ``kind``, ``separable`` or ``alternating``, and what its function takes),
        ``dimensions``, ``train_points``, ``test_points``, ``hidden`` (widths), ``epochs``, ``batch``, ``rate``,
        ``momentum``, ``clip`` (see `descend`),
        ``directions`` (of ``u1``, ``u2``, ``complement``, ``orthogonal`` and ``random``), ``random_subspaces`` (how
        many of each random kind), ``subspace_dimensions`` and ``seed``
    checkpoint : called before every epoch; what it raises ends it

    Returns
    -------
    dict of ``loss`` (mean of the last epoch), ``accuracy`` (0 to 1, of ``train`` and ``test``) and ``margins``: for
    each direction its ``quantiles`` (5 %, median, 95 %) over points and subspaces, those of DeepFool's own
    perturbations (``unrefined``), the median in each single subspace (``medians``), and the share of pairs for which
    another class was found (``found``); the others are in no quantile
    """
    generator = torch.Generator().manual_seed(setting["seed"])
    basis = rotation(setting["dimensions"], generator)
    train, test = (_points(setting["points"], setting[f"{split}_points"], basis, generator) for split in _SPLITS)
    subspaces = _subspaces(setting, basis, generator)
    network = perceptron(setting["dimensions"], setting["hidden"], generator)
    loss = descend(
        network,
        train,
        epochs=setting["epochs"],
        batch=setting["batch"],
        rate=setting["rate"],
        momentum=setting["momentum"],
        clip=setting["clip"],
        generator=generator,
        checkpoint=checkpoint,
    )
    checkpoint()
    return {
        "loss": loss,
        "accuracy": {"train": accuracy(network, train), "test": accuracy(network, test)},
        "margins": _measure(network, test, subspaces),
    }


_SPLITS = ("train", "test")
_KINDS: Mapping[str, Callable[..., Points]] = {"separable": separable, "alternating": alternating}


def _points(options: Mapping[str, Any], number: int, basis: Tensor, generator: torch.Generator) -> Points:
    others = {name: value for name, value in options.items() if name != "kind"}
    return _KINDS[options["kind"]](number, basis, **others, generator=generator)


def _subspaces(setting: Mapping[str, Any], basis: Tensor, generator: torch.Generator) -> Subspaces:
    number, dimensions = setting["random_subspaces"], setting["subspace_dimensions"]

    def drawn(within: Tensor) -> list[Tensor]:
        return [_within(within, dimensions, generator) for _ in range(number)]

    makers: dict[str, Callable[[], list[Tensor]]] = {
        "u1": lambda: [basis[:, :1]],
        "u2": lambda: [basis[:, 1:2]],
        "complement": lambda: [basis[:, 1:]],  # of u_1
        "orthogonal": lambda: drawn(basis[:, 1:]),
        "random": lambda: drawn(basis),
    }
    return {name: makers[name]() for name in setting["directions"]}


def _within(basis: Tensor, dimensions: int, generator: torch.Generator) -> Tensor:
    """Return an orthonormal basis of a random subspace of what `basis` spans."""
    drawn: Tensor = basis @ torch.linalg.qr(torch.randn(basis.shape[1], dimensions, generator=generator))[0]
    return drawn


def _measure(network: torch.nn.Module, test: Points, subspaces: Subspaces) -> dict[str, Any]:
    bases = [basis for group in subspaces.values() for basis in group]
    margins, sizes = subspace_margins(network, test.points, bases), [len(group) for group in subspaces.values()]
    parts = zip(*(found.split(sizes) for found in (margins.norms, margins.unrefined, margins.steps)), strict=True)
    return {name: _summary(*part) for name, part in zip(subspaces, parts, strict=True)}


def _summary(norms: Tensor, unrefined: Tensor, steps: Tensor) -> dict[str, Any]:
    found = norms.isfinite()
    return {
        "quantiles": _quantiles(norms[found]),
        "unrefined": _quantiles(unrefined[found]),
        "medians": [_quantiles(row[row.isfinite()])[1] for row in norms],
        "found": float(found.double().mean()),
        "steps": float(steps.double().mean()),
    }


def _quantiles(norms: Tensor) -> list[float | None]:
    """Return 5 %, median and 95 %; None each where there are no margins."""
    if not len(norms):
        return [None] * len(QUANTILES)
    return [float(value) for value in np.quantile(norms.numpy().astype(np.float64), QUANTILES)]
