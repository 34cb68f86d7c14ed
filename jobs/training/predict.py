"""What a network predicts on a stored dataset. Every view is predicted in one pass over the samples."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from passband.jobs.training.batches import to_device
from passband.pipeline.loading import Stream, open_stream

Column = NDArray[np.int64]
Classify = Callable[[Tensor], Tensor]
"""From images (N, C, H, W) float32 in [0, 1] to logits (N, classes)."""


@dataclass(frozen=True)
class Predictions:
    """Predictions on one view of a dataset, in its stored order.

    Attributes
    ----------
    predicted, labels, groups, indices : (N,) int64
    """

    predicted: Column
    labels: Column
    groups: Column
    indices: Column

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which samples are classified correctly: (N,) bool."""
        return self.predicted == self.labels


def accuracy(
    model: nn.Module,
    path: str,
    view: str,
    batch_size: int,
    device: torch.device | str = "cpu",
    workers: int | None = None,
) -> float:
    """Return the share of samples of a dataset that `model` classifies correctly, 0 to 1; NaN without samples."""
    with evaluating(model):
        found = predict(lambda view: model, path, [view], batch_size=batch_size, device=device, workers=workers)[view]
    return float(found.correct.mean()) if len(found.labels) else float("nan")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put `model` into evaluation mode, and every module of it back into its own."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def predict(
    classifiers: Callable[[str], Classify],
    path: str,
    views: Sequence[str],
    *,
    batch_size: int,
    device: torch.device | str = "cpu",
    workers: int | None = None,
) -> dict[str, Predictions]:
    """Return the predictions on some views of a dataset.

    Parameters
    ----------
    classifiers : view -> what classifies it
        In evaluation mode and on `device`. It is called once a view, as a classifier may depend on earlier batches.

    Raises
    ------
    PassbandError
        If the dataset cannot be read, is damaged, or has no such view.
    """
    classify = {view: classifiers(view) for view in views}
    predicted: dict[str, list[Tensor]] = {view: [] for view in views}
    with stored_order(path, views, batch_size, workers) as stream, torch.inference_mode():
        for batch in stream:
            images = to_device(batch, torch.device(device)).images
            for view in views:
                predicted[view].append(classify[view](images[view]).argmax(1).cpu())
        columns = stream.labels, stream.groups, stream.indices  # stored order, as the batches come
    return {view: Predictions(joined(predicted[view]), *columns) for view in views}


@contextmanager
def stored_order(
    path: str, views: Sequence[str], batch_size: int, workers: int | None, shuffle_labels: int | None = None
) -> Iterator[Stream]:
    """Open all samples of a dataset in their stored order."""
    stream = open_stream(
        path,
        views=list(views),
        batch_size=batch_size,
        rank=0,  # every process that asks predicts all samples
        world_size=1,
        shuffle=False,
        drop_last=False,
        shuffle_labels=shuffle_labels,
        workers=workers,
    )
    with closing(stream):
        yield stream


def joined(parts: Sequence[Tensor]) -> Column:
    """Return the predictions of batches as one column."""
    column: Column = torch.cat([*parts]).numpy() if parts else np.zeros(0, np.int64)
    return column
