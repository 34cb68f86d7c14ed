"""One batch, as training gets it."""

from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Any

import torch

_COLUMNS = ("labels", "groups", "indices", "positions", "views")


@dataclass(eq=False, repr=False)
class Batch:
    """N samples, aligned: place n of every tensor belongs to the same one. Readable by key too: ``batch["images"]``.

    Attributes
    ----------
    images : view name -> (N, C, H, W) uint8 tensor in channels_last memory; float16 for views of range ``float``
        What the stream's `transforms` made of it, where there are any.
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
    if TYPE_CHECKING:
        views: torch.Tensor | None = None
    else:  # no field of the dataclass: Lightning asks each for its number of samples, and takes None for one
        views: InitVar[torch.Tensor | None] = None

        def __post_init__(self, views: torch.Tensor | None) -> None:
            self.views = views

    def __getitem__(self, name: str) -> Any:
        if name not in ("images", *_COLUMNS):
            raise KeyError(name)
        return getattr(self, name)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        """Say shapes and types, and no pixel."""
        images = ", ".join(f"{name!r}: {outline(images)}" for name, images in self.images.items())
        columns = (f"{name}={outline(column)}" for name, column in self._columns().items())
        return f"Batch(images={{{images}}}, {', '.join(columns)})"

    def to(self, device: torch.device | str | int, non_blocking: bool = False) -> "Batch":
        """Return the batch with every tensor on `device`; one that lies there already is not copied."""
        return self._changed(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """Return the batch in page-locked memory; what a DataLoader with ``pin_memory=True`` calls."""
        return self._changed(pinned)

    def _columns(self) -> dict[str, torch.Tensor]:
        named = ((name, getattr(self, name)) for name in _COLUMNS)
        return {name: column for name, column in named if isinstance(column, torch.Tensor)}

    def _changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Batch":
        images = {name: change(images) for name, images in self.images.items()}
        return Batch(images, **{name: change(column) for name, column in self._columns().items()})


def pinned(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in page-locked memory; one of a subclass, as an image of torchvision is, stays of it."""
    if tensor.is_pinned():
        return tensor
    moved = tensor.pin_memory()
    return moved if type(tensor) is torch.Tensor else moved.as_subclass(type(tensor))


def outline(tensor: torch.Tensor) -> str:
    """Return type and shape of a tensor, and its device unless that is the CPU: ``uint8[64, 3, 32, 32]``."""
    place = "" if tensor.device.type == "cpu" else f" on {tensor.device}"
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}{place}"
