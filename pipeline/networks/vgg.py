"""VGG-A for small images: eight convolutions, and one linear layer in place of the three for 224 pixels."""

from torch import nn

from passband.pipeline.networks.dropout import last_layer
from passband.pipeline.networks.plain import Shape

_CHANNELS = ((64,), (128,), (256, 256), (512, 512), (512, 512))
"""Of the convolutions between poolings; Simonyan & Zisserman 2015, table 1, column A."""


def vgg11(shape: Shape, num_classes: int, *, batch_norm: bool = False, dropout: float | None = None) -> nn.Module:
    """Return a VGG-A that ends in a mean over all places and one linear layer, as is common for images of 32 pixels.

    Parameters
    ----------
    batch_norm : after each convolution, as in torchvision's ``vgg11_bn``
    dropout : share of the 512 features that is dropped in training
    """
    layers: list[nn.Module] = []
    inputs = shape[0]
    for group in _CHANNELS:
        for outputs in group:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), *([nn.BatchNorm2d(outputs)] if batch_norm else [])]
            layers.append(nn.ReLU())
            inputs = outputs
        layers.append(nn.MaxPool2d(2, ceil_mode=True))  # so that images of 28 pixels do not come to nothing
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last_layer(inputs, num_classes, dropout))
