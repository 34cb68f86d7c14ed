"""Random crops and flips of training images, the same for all views of a sample."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from passband.pipeline.loading import Batch


class CropFlip:
    """Crops after padding by `padding` black pixels, and flips half of the images left to right.

    What is drawn is a function of (seed, epoch, place of the sample in the epoch's global order): one 64-bit word of
    Philox4x64-10, of which 31 bits choose the row, 31 the column and one the side. It does not depend on the number
    of processes.
    """

    def __init__(self, seed: int, padding: int, flip: bool) -> None:
        self._seed = seed
        self._padding = padding
        self._flip = flip
        self._epoch = -1
        self._words = np.empty(0, np.uint64)

    def __call__(self, batch: Batch, epoch: int) -> dict[str, Tensor]:
        """Return the images of a batch, cropped and flipped: view name -> (N, C, H, W) of the same dtype."""
        if not self._padding and not self._flip:
            return batch.images
        words = self._epoch_words(epoch, int(batch.positions.max()) + 1 if len(batch.positions) else 0)
        words = words[batch.positions.numpy()]
        return {name: self._moved(images, words) for name, images in batch.images.items()}

    def _epoch_words(self, epoch: int, count: int) -> NDArray[np.uint64]:
        if epoch != self._epoch or count > len(self._words):
            key = hashlib.sha256(f"crop and flip {self._seed} {epoch}".encode()).digest()[:16]
            rows = max(count, 2 * len(self._words) if epoch == self._epoch else count)
            self._words = np.random.Philox(key=int.from_bytes(key, "big")).random_raw(rows)
            self._epoch = epoch
        return self._words

    def _moved(self, images: Tensor, words: NDArray[np.uint64]) -> Tensor:
        count, _, height, width = images.shape
        places = np.uint64(2 * self._padding + 1)
        mask = np.uint64((1 << 31) - 1)
        top, left = (((words >> np.uint64(shift)) & mask) * places >> np.uint64(31) for shift in (0, 31))
        flipped = (words >> np.uint64(62) & np.uint64(1)).astype(np.bool_) & self._flip
        columns = np.arange(width)
        rows_index = top.astype(np.int64)[:, None] + np.arange(height)
        columns_index = left.astype(np.int64)[:, None] + np.where(flipped[:, None], columns[::-1], columns)
        padded = torch.nn.functional.pad(images, [self._padding] * 4)
        samples = torch.arange(count)[:, None, None]
        picked = padded.permute(0, 2, 3, 1)[
            samples, torch.from_numpy(rows_index)[:, :, None], torch.from_numpy(columns_index)[:, None, :]
        ]
        return picked.permute(0, 3, 1, 2)
