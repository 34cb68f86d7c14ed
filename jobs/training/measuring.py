"""What is measured while training: accuracy on other datasets, accuracy and loss on views of the training set."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from passband.jobs.training.batches import to_device
from passband.jobs.training.landscape import landscapes
from passband.jobs.training.predict import accuracy, evaluating, stored_order
from passband.jobs.training.spec import WATCHED, EvaluationDuringTraining, TrainJob

ACCURACY, LOSS, GRADIENT_NORM, SHARPNESS = "accuracy/", "loss/", "gradient_norm/", "sharpness/"
_IN_RESULTS = {"accuracy": ACCURACY, "losses": LOSS, "gradient_norms": GRADIENT_NORM, "sharpness": SHARPNESS}


def measure(
    network: nn.Module, job: TrainJob, device: torch.device, due: Callable[[int], bool] = lambda every: True
) -> dict[str, float]:
    """Return what `job` asks for of `network`, in evaluation mode, on images that are neither cropped nor flipped.

    Parameters
    ----------
    due : every so many epochs -> whether it is to be measured now

    Returns
    -------
    ``accuracy/NAME`` or ``accuracy/NAME/VIEW``, 0 to 1, and of what is watched also ``loss/train/VIEW``: the mean
    cross-entropy in nats. Where `sharpness` is asked for also ``gradient_norm/NAME/VIEW`` and ``sharpness/NAME/VIEW``.
    """
    found: dict[str, float] = {}
    for name, entry in job.measured().items():
        if due(entry.every_epochs):
            measured = _watched if name == WATCHED and job.watch is not None else _accuracies
            found |= measured(network, name, entry, job, device)
            if entry.sharpness is not None:
                found |= _landscapes(network, name, entry, entry.sharpness, job, device)
    return found


def in_results(found: Mapping[str, float]) -> dict[str, Any]:
    """Return what was measured as ``results.json`` has it; all but accuracies are there where there are any."""
    parts = {
        key: {name: value for name, value in found.items() if name.startswith(prefix)}
        for key, prefix in _IN_RESULTS.items()
    }
    return {key: values for key, values in parts.items() if values or key == "accuracy"}


def _accuracies(
    network: nn.Module, name: str, entry: EvaluationDuringTraining, job: TrainJob, device: torch.device
) -> dict[str, float]:
    assert entry.path is not None, "datasets are made before a training begins"
    return {
        f"{ACCURACY}{name}" + (f"/{view}" if len(entry.views) > 1 else ""): accuracy(
            network, entry.path, view, job.batch_size, device, job.compute.workers
        )
        for view in entry.views
    }


def _watched(
    network: nn.Module, name: str, entry: EvaluationDuringTraining, job: TrainJob, device: torch.device
) -> dict[str, float]:
    """Return accuracy and loss on every view, in one pass over the samples, by the labels that are trained on."""
    assert entry.path is not None, "datasets are made before a training begins"
    order = (entry.path, entry.views, job.batch_size, job.compute.workers, job.data.shuffle_labels)
    right, loss = (torch.zeros(len(entry.views), dtype=torch.float64, device=device) for _ in range(2))
    with (
        evaluating(network),
        torch.inference_mode(),
        stored_order(*order) as stream,
    ):
        for batch in stream:
            moved = to_device(batch, device)
            for number, view in enumerate(entry.views):
                logits = network(moved.images[view]).float()
                right[number] += (logits.argmax(1) == moved.labels).sum()
                loss[number] += nn.functional.cross_entropy(logits, moved.labels, reduction="sum")
        count = stream.num_samples
    return {
        f"{prefix}{name}/{view}": total / count
        for prefix, totals in ((ACCURACY, right), (LOSS, loss))
        for view, total in zip(entry.views, totals.tolist(), strict=True)
    }


def _landscapes(
    network: nn.Module, name: str, entry: EvaluationDuringTraining, rho: float, job: TrainJob, device: torch.device
) -> dict[str, float]:
    """Return how steep and how sharp the loss of every view is."""
    assert entry.path is not None, "datasets are made before a training begins"
    opened = partial(stored_order, entry.path, entry.views, job.batch_size, job.compute.workers)
    found = landscapes(network, opened, entry.views, rho, device)
    return {f"{GRADIENT_NORM}{name}/{view}": seen.gradient_norm for view, seen in found.items()} | {
        f"{SHARPNESS}{name}/{view}": seen.sharpness for view, seen in found.items()
    }
