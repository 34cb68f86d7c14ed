"""Mean and deviation of each channel of a training set, measured a few images at a time.

The values are those of one look at all samples together, but for the last bits of float64: images of 8 bits are counted
by their 256 levels, which is exact, and others are added up in parts, each with its own mean (Chan, Golub & LeVeque
1983), so that nothing large is subtracted from anything large.
"""

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from passband.pipeline.loading import open_stream

MEASURED_SAMPLES = 2000
_BATCH_BYTES = 8 << 20
_AT_ONCE = 1 << 20  # values that are looked at as float64 or int64 together
_SMALLEST = 1e-3


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared differences from the mean of each channel: (C,) float64."""

    count: int
    mean: Tensor
    squares: Tensor

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        return Moments(count, mean, self.squares + other.squares + apart**2 * (self.count * other.count / count))

    @property
    def std(self) -> Tensor:
        """Deviation, with one less than the count below the fraction: (C,) float64."""
        return (self.squares / (self.count - 1)).sqrt()


def channel_statistics(path: str | Path, view: str) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each channel over one view of the first stored samples, to four digits.

    Parameters
    ----------
    path : of a dataset
    """
    whole: Any = {"views": [view], "rank": 0, "world_size": 1, "shuffle": False, "drop_last": False}  # in every process
    with open_stream(path, batch_size=1, **whole) as looked:
        manifest, samples = looked.manifest, min(MEASURED_SAMPLES, looked.num_samples)
    width = next(2 if entry.dtype == "float16" else 1 for entry in manifest.views if entry.name == view)
    image_bytes = width * manifest.shape[0] * manifest.shape[1] * manifest.shape[2]
    size = max(1, min(samples, _BATCH_BYTES // image_bytes))
    found, left = [], samples
    with open_stream(path, batch_size=size, workers=1, prefetch=1, **whole) as stream:
        for batch in stream:
            found.append(moments(batch.images[view][:left]))
            left -= len(batch.labels)
            if left <= 0:
                break
    total = reduce(Moments.__add__, found)
    std = total.std.clamp_min(_SMALLEST)
    return [round(value, 4) for value in total.mean.tolist()], [round(value, 4) for value in std.tolist()]


def moments(images: Tensor) -> Moments:
    """Return the moments of images (N, C, H, W), uint8 as 0 to 1, or float as it is."""
    per_channel = [
        _of_levels(plane) if images.dtype == torch.uint8 else _of_values(plane) for plane in images.unbind(1)
    ]
    return Moments(
        per_channel[0].count,
        torch.cat([one.mean for one in per_channel]),
        torch.cat([one.squares for one in per_channel]),
    )


def _of_levels(plane: Tensor) -> Moments:
    """Return the moments of one channel (N, H, W) of 8 bits, by how often each level occurs."""
    counts = torch.zeros(256, dtype=torch.int64)
    for part in _parts(plane):
        counts += torch.bincount(part, minlength=256)
    levels = torch.arange(256, dtype=torch.float64) / 255
    total = int(counts.sum())
    mean = (counts * levels).sum() / total
    return Moments(total, mean.view(1), (counts * (levels - mean) ** 2).sum().view(1))


def _of_values(plane: Tensor) -> Moments:
    return reduce(Moments.__add__, (_of_part(part.double()) for part in _parts(plane)))


def _of_part(values: Tensor) -> Moments:
    mean = values.mean()
    return Moments(values.numel(), mean.view(1), ((values - mean) ** 2).sum().view(1))


def _parts(plane: Tensor) -> list[Tensor]:
    """Return the values of (N, H, W) in flat parts of at most so many, rows of an image together."""
    rows = max(1, _AT_ONCE // plane.shape[2])
    images = max(1, rows // plane.shape[1])
    return [
        part.reshape(-1) for some in plane.split(images) for part in ([some] if images > 1 else some[0].split(rows))
    ]
