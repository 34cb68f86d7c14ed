"""DenseNet-BC for small images: each layer sees what all layers of its block before it have made."""

import torch
from torch import Tensor, nn

from passband.pipeline.networks.dropout import last_layer
from passband.pipeline.networks.plain import Shape

_GROWTH, _BLOCKS, _LAYERS = 12, 3, 6
"""Three blocks of six bottlenecks: depth 40."""


def densenet_small(
    shape: Shape, num_classes: int, *, batch_norm: bool = True, dropout: float | None = None
) -> nn.Module:
    """Return a DenseNet-BC of depth 40 and growth 12 (Huang et al. 2017, section 4.1), 0.18 million parameters.

    Parameters
    ----------
    batch_norm : false leaves the norms out
    dropout : share of the features before the last layer that is dropped in training
    """
    channels = 2 * _GROWTH
    layers: list[nn.Module] = [nn.Conv2d(shape[0], channels, 3, padding=1, bias=False)]
    for block in range(_BLOCKS):
        for _ in range(_LAYERS):
            layers.append(_Bottleneck(channels, batch_norm))
            channels += _GROWTH
        if block < _BLOCKS - 1:
            narrower = nn.Conv2d(channels, channels // 2, 1, bias=False)
            layers += [_norm(channels, batch_norm), nn.ReLU(), narrower, nn.AvgPool2d(2, ceil_mode=True)]
            channels //= 2
    layers += [_norm(channels, batch_norm), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, last_layer(channels, num_classes, dropout))


def _norm(channels: int, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()


class _Bottleneck(nn.Module):
    """A pre-activated 1 x 1 convolution to 4 k channels and a 3 x 3 convolution to k, put beside the input."""

    def __init__(self, inputs: int, batch_norm: bool) -> None:
        super().__init__()
        hidden = 4 * _GROWTH
        self.norm1, self.norm2 = _norm(inputs, batch_norm), _norm(hidden, batch_norm)
        self.conv1 = nn.Conv2d(inputs, hidden, 1, bias=False)
        self.conv2 = nn.Conv2d(hidden, _GROWTH, 3, padding=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.conv1(nn.functional.relu(self.norm1(images)))
        made = self.conv2(nn.functional.relu(self.norm2(hidden)))
        return torch.cat([images, made], dim=1)
