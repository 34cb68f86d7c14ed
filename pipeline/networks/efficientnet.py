"""EfficientNet-Lite0: EfficientNet-B0 without squeeze and excitation, with ReLU6, for color images of 32 pixels and up.

Images (N, 3, H, W) float32, normalized. Tan & Le 2019, table 1; the Lite models are those of the authors' code.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.dropout import last_layer
from passband.pipeline.networks.plain import Shape

_STAGES = (
    # repeats, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD = 32, 1280
_SMALLEST = 32
"""Pixels a side: the five strides of 2 leave 1."""
_PUBLISHED = {
    "_conv_stem": "stem.0",
    "_bn0": "stem.1",
    "_conv_head": "head.0",
    "_bn1": "head.1",
    "_fc": "fc",
}
_PUBLISHED_BLOCK = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


def efficientnet_lite0(shape: Shape, num_classes: int, *, dropout: float | None = None) -> nn.Module:
    """Return an EfficientNet-Lite0, without stochastic depth.

    Parameters
    ----------
    dropout : share of the features before the last layer that is dropped in training; 0.2 where it was published

    Raises
    ------
    ValueError
        If the images are not in color, or are smaller than 32 pixels a side.
    """
    channels, height, width = shape
    if channels != 3:
        raise ValueError(f"images of {channels} channels; this network takes 3, red, green and blue")
    if min(height, width) < _SMALLEST:
        raise ValueError(f"images of {height} x {width} are too small: this network needs {_SMALLEST} pixels a side")
    return _EfficientNet(num_classes, dropout)


def is_published(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict has the names that the weights were published under."""
    return all(str(name).startswith("_") for name in state)


def from_published(state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Return the state dict of the published weights under the names that they have here.

    Raises
    ------
    NetworkError
        If a name is not one of an EfficientNet-Lite0; `where` stands before it.
    """
    return {_own_name(name, where): value for name, value in state.items()}


def _own_name(name: str, where: str) -> str:
    """Return ``blocks.3.expand.0.weight`` for ``_blocks.3._expand_conv.weight``."""
    layer, _, what = str(name).rpartition(".")
    if layer.startswith("_blocks.") and layer.count(".") == 2:
        _, number, layer = layer.split(".")
        known, prefix = _PUBLISHED_BLOCK, f"blocks.{number}."
    else:
        known, prefix = _PUBLISHED, ""
    if layer not in known:
        raise NetworkError(f"{where}: is no state dict of an EfficientNet-Lite0: it has {name!r}")
    return f"{prefix}{known[layer]}.{what}"


class _Same(nn.Conv2d):
    """A convolution padded as TensorFlow's ``same``: ceil(side / stride) pixels, an odd one of padding at the end."""

    def forward(self, images: Tensor) -> Tensor:
        rows, columns = (self._padding(images.shape[axis], axis - 2) for axis in (2, 3))
        return self._conv_forward(functional.pad(images, (*columns, *rows)), self.weight, self.bias)

    def _padding(self, side: int, axis: int) -> tuple[int, int]:
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        return missing // 2, missing - missing // 2


def _unit(inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = _Same(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs, eps=1e-3)]


class _Inverted(nn.Module):
    """A 1 x 1 convolution to more channels, one within each of them, and a 1 x 1 convolution back."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = None if expansion == 1 else nn.Sequential(*_unit(inputs, hidden), nn.ReLU6())
        depthwise = _unit(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.depthwise = nn.Sequential(*depthwise, nn.ReLU6())
        self.project = nn.Sequential(*_unit(hidden, outputs))
        self._shortcut = inputs == outputs and stride == 1

    def forward(self, images: Tensor) -> Tensor:
        expanded = images if self.expand is None else self.expand(images)
        projected: Tensor = self.project(self.depthwise(expanded))
        return images + projected if self._shortcut else projected


class _EfficientNet(nn.Module):
    def __init__(self, num_classes: int, dropout: float | None) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_unit(3, _STEM, 3, stride=2), nn.ReLU6())
        blocks, inputs = [], _STEM
        for repeats, kernel, first_stride, expansion, outputs in _STAGES:
            for position in range(repeats):
                blocks.append(_Inverted(inputs, outputs, kernel, first_stride if position == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(*_unit(inputs, _HEAD), nn.ReLU6())
        self.fc = last_layer(_HEAD, num_classes, dropout)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.head(self.blocks(self.stem(images))).mean((2, 3)))
        return logits
