"""One batch, as training gets it."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, eq=False)
class Batch:
    """N samples, aligned: place n of every tensor belongs to the same one. Readable by key too: ``batch["images"]``.

    Attributes
    ----------
    images : view name -> (N, C, H, W) uint8 tensor in channels_last memory; float16 for views of range ``float``
    labels, groups : (N,) int64
    indices : (N,) int64
        Index of the sample in the dataset's plan.
    positions : (N,) int64
        Place of the draw in the global order of the epoch.
    views : (N,) int64 or None
        Where views are samples of their own: which of the stream's views each image is.
    """

    images: dict[str, torch.Tensor]
    labels: torch.Tensor
    groups: torch.Tensor
    indices: torch.Tensor
    positions: torch.Tensor
    views: torch.Tensor | None = None

    def __getitem__(self, name: str) -> Any:
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)

    def __len__(self) -> int:
        return len(self.labels)
