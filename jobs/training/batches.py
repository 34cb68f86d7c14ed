"""From a stream's batch to what a network is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from passband.pipeline.loading import Batch


@dataclass(frozen=True)
class TrainBatch:
    """The part of a global batch that is this process's, on its device.

    Attributes
    ----------
    images : view name -> (N, C, H, W) float32 in [0, 1]; the first is the clean view where it was asked for
    labels, groups, indices : (N,) int64
    """

    images: Mapping[str, Tensor]
    labels: Tensor
    groups: Tensor
    indices: Tensor

    @property
    def first(self) -> Tensor:
        """Images of the first view."""
        return next(iter(self.images.values()))

    def __len__(self) -> int:
        return len(self.labels)


def to_device(batch: "Batch", device: torch.device, *, channels_last: bool = False) -> TrainBatch:
    """Move a batch to `device` and scale its pixels to [0, 1]; float16 views are taken as they are stored."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return TrainBatch(
        {name: _scaled(images, device, layout) for name, images in batch.images.items()},
        *(column.to(device, non_blocking=True) for column in (batch.labels, batch.groups, batch.indices)),
    )


def _scaled(images: Tensor, device: torch.device, layout: torch.memory_format) -> Tensor:
    moved = images.to(device, non_blocking=True)
    scaled = moved.to(torch.float32, memory_format=layout)
    return scaled.div_(255) if images.dtype == torch.uint8 else scaled
