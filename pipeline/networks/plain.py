"""The two networks that have no batch norm unless it is asked for: SADA's ConvNet and LeNet-5."""

from torch import nn

from passband.pipeline.networks.dropout import last_layer

Shape = tuple[int, int, int]  # (C, H, W)
_SMALLEST = 16
"""Pixels a side: two rounds of a 5 x 5 convolution without padding and a pooling by 2 leave 1."""


def convnet(shape: Shape, num_classes: int, *, batch_norm: bool = False, dropout: float | None = None) -> nn.Module:
    """Return the ConvNet of SADA's released code: two 5 x 5 convolutions (64, 128), then 1024, 1024, classes.

    Parameters
    ----------
    batch_norm : after each convolution
    dropout : share of the features before the last layer that is dropped in training
    """
    return _two_convolutions(shape, num_classes, (64, 128), (1024, 1024), batch_norm, dropout)


def lenet(shape: Shape, num_classes: int, *, batch_norm: bool = False, dropout: float | None = None) -> nn.Module:
    """Return LeNet-5 (LeCun et al. 1998) with ReLU and max pooling: convolutions (6, 16), then 120, 84, classes.

    `batch_norm` and `dropout` are as in `convnet`.
    """
    return _two_convolutions(shape, num_classes, (6, 16), (120, 84), batch_norm, dropout)


def _two_convolutions(
    shape: Shape,
    num_classes: int,
    channels: tuple[int, int],
    hidden: tuple[int, int],
    batch_norm: bool,
    dropout: float | None,
) -> nn.Module:
    norms = ([nn.BatchNorm2d(width)] if batch_norm else [] for width in channels)
    depth, height, width = shape
    if min(height, width) < _SMALLEST:
        raise ValueError(f"images of {height} x {width} are too small: this network needs {_SMALLEST} pixels a side")
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    return nn.Sequential(
        nn.Conv2d(depth, channels[0], 5),
        *next(norms),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels[0], channels[1], 5),
        *next(norms),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(channels[1] * rows * columns, hidden[0]),
        nn.ReLU(),
        nn.Linear(hidden[0], hidden[1]),
        nn.ReLU(),
        last_layer(hidden[1], num_classes, dropout),
    )
