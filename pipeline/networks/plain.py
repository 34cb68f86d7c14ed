"""The two networks without batch norm: SADA's ConvNet and LeNet-5."""

from torch import nn

Shape = tuple[int, int, int]  # (C, H, W)
_SMALLEST = 16
"""Pixels a side: two rounds of a 5 x 5 convolution without padding and a pooling by 2 leave 1."""


def convnet(shape: Shape, num_classes: int) -> nn.Module:
    """Return the ConvNet of SADA's released code: two 5 x 5 convolutions (64, 128), then 1024, 1024, classes."""
    return _two_convolutions(shape, num_classes, channels=(64, 128), hidden=(1024, 1024))


def lenet(shape: Shape, num_classes: int) -> nn.Module:
    """Return LeNet-5 (LeCun et al. 1998) with ReLU and max pooling: convolutions (6, 16), then 120, 84, classes."""
    return _two_convolutions(shape, num_classes, channels=(6, 16), hidden=(120, 84))


def _two_convolutions(
    shape: Shape, num_classes: int, *, channels: tuple[int, int], hidden: tuple[int, int]
) -> nn.Module:
    depth, height, width = shape
    if min(height, width) < _SMALLEST:
        raise ValueError(f"images of {height} x {width} are too small: this network needs {_SMALLEST} pixels a side")
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    return nn.Sequential(
        nn.Conv2d(depth, channels[0], 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels[0], channels[1], 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(channels[1] * rows * columns, hidden[0]),
        nn.ReLU(),
        nn.Linear(hidden[0], hidden[1]),
        nn.ReLU(),
        nn.Linear(hidden[1], num_classes),
    )
