"""Residual networks: torchvision's ResNet-18, and Wide ResNet-16-4."""

from torch import Tensor, nn

from passband.pipeline.networks.dropout import last_layer
from passband.pipeline.networks.plain import Shape


def resnet18(
    shape: Shape, num_classes: int, stem: str = "cifar", *, batch_norm: bool = True, dropout: float | None = None
) -> nn.Module:
    """Return a ResNet-18 (He et al. 2016).

    Parameters
    ----------
    stem : str
        ``imagenet``: 7 x 7 convolution of stride 2 and a pooling; ``cifar``: one 3 x 3 convolution of stride 1.
    batch_norm : bool
        False leaves the norms out.
    dropout : float or None
        Share of the features before the last layer that is dropped in training.
    """
    from torchvision.models import resnet18 as torchvision_resnet18

    body: nn.Module = torchvision_resnet18(num_classes=num_classes)
    body.fc = last_layer(512, num_classes, dropout)
    if stem == "cifar":
        body.conv1 = nn.Conv2d(shape[0], 64, 3, padding=1, bias=False)
        body.maxpool = nn.Identity()
    elif shape[0] != 3:
        body.conv1 = nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
    return body if batch_norm else _without_norms(body)


def wide_resnet16_4(
    shape: Shape, num_classes: int, stem: str = "cifar", *, batch_norm: bool = True, dropout: float | None = None
) -> nn.Module:
    """Return a Wide ResNet of depth 16 and width 4 (Zagoruyko & Komodakis 2016), without dropout within its blocks.

    Parameters
    ----------
    stem : str
        ``cifar``: the paper's 3 x 3 convolution of stride 1; ``imagenet``: 7 x 7 of stride 2 and a pooling, without a
        norm between them, since the blocks begin with theirs.
    batch_norm, dropout
        As in `resnet18`.
    """
    widths = (16, 64, 128, 256)
    blocks: list[nn.Module] = []
    for stage in range(3):
        for position in range(2):
            inputs = widths[stage] if position == 0 else widths[stage + 1]
            blocks.append(_WideBlock(inputs, widths[stage + 1], stride=2 if stage > 0 and position == 0 else 1))
    first: list[nn.Module] = [nn.Conv2d(shape[0], widths[0], 3, padding=1, bias=False)]
    if stem == "imagenet":
        first = [nn.Conv2d(shape[0], widths[0], 7, stride=2, padding=3, bias=False), nn.MaxPool2d(3, 2, padding=1)]
    body = nn.Sequential(
        *first,
        *blocks,
        nn.BatchNorm2d(widths[3]),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        last_layer(widths[3], num_classes, dropout),
    )
    return body if batch_norm else _without_norms(body)


def _without_norms(body: nn.Module) -> nn.Module:
    """Return `body` with nothing in the place of its norms; names of other layers stay."""
    for parent in list(body.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, nn.Identity())
    return body


class _WideBlock(nn.Module):
    """Two pre-activated 3 x 3 convolutions and a shortcut, which is a 1 x 1 convolution where shapes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        activated = nn.functional.relu(self.norm1(images))
        residual = self.conv2(nn.functional.relu(self.norm2(self.conv1(activated))))
        shortcut: Tensor = images if self.shortcut is None else self.shortcut(activated)
        return shortcut + residual
