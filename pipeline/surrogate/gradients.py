"""Logits at points, and their gradients by the points: what attacks that need one gradient a class ask for.

By default autograd's. A network that begins with convolutions each of which is rectified and pooled over 2 x 2, as
ConvNet and LeNet do, has a quicker way: of four places that are pooled a gradient reaches one at most, and none where
nothing was positive, so the convolution's gradient is added up at those alone.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

from passband.kernels.cpu.pooled import list_places, scatter_pooled
from passband.pipeline.networks.network import Network

_LANES = 8


class Gradients(Protocol):
    """Attributes
    ----------
    logits : (batch, classes) float32
    """

    logits: Tensor

    def of(self, coefficients: Tensor) -> Tensor:
        """Return the gradient of sum_k c_k f_k of each point, for coefficients of (batch, classes): as the points."""
        ...


def difference(logits: Tensor, to: Tensor, away: Tensor) -> Tensor:
    """Return the coefficients of f_to - f_away, for classes of (batch, 1): (batch, classes)."""
    ones = logits.new_ones(to.shape)
    return torch.zeros_like(logits).scatter_add_(1, to, ones).scatter_add_(1, away, -ones)


class ByAutograd:
    """The gradients of any network."""

    def __init__(self, network: Callable[[Tensor], Tensor], points: Tensor) -> None:
        self._points = points.detach().requires_grad_()
        with torch.enable_grad():
            self._graph = network(self._points)
        self.logits = self._graph.detach()

    def of(self, coefficients: Tensor) -> Tensor:
        """Return the gradient of a combination of logits."""
        return torch.autograd.grad(self._graph, self._points, coefficients, retain_graph=True)[0]


class _Block(NamedTuple):
    """Attributes
    ----------
    forward : the convolution, and a norm where there is one
    weights : (K, R, L) float32 of `scatter_pooled`, with the norm's scale
    columns : S
    last : whether the rest of the network follows, which takes planes
    """

    forward: nn.Module
    weights: Tensor
    columns: int
    last: bool = False


class PooledNetwork:
    """A network of ours, taken apart: blocks of convolution, rectifier and 2 x 2 pooling, and all the rest."""

    def __init__(self, network: Network) -> None:
        layers = list(network.body) if isinstance(network.body, nn.Sequential) else []
        self.mean, self.std = network.mean, network.std
        self.blocks: list[_Block] = []
        while found := _block(layers, 1 / self.std.flatten() if not self.blocks else None):
            block, used = found
            self.blocks.append(block)
            layers = layers[used:]
        self.blocks[-1:] = [block._replace(last=True) for block in self.blocks[-1:]]
        self.rest = nn.Sequential(*layers)


class _Places(NamedTuple):
    """What `list_places` found in a block, and the shape of the block's input."""

    sources: Tensor
    targets: Tensor
    ends: Tensor
    shape: torch.Size


class ByPlaces:
    """The gradients of a network that begins with pooled blocks, by `scatter_pooled`."""

    def __init__(self, network: PooledNetwork, points: Tensor) -> None:
        self._network, self._places = network, []
        with torch.no_grad():
            values = (points - network.mean) / network.std
            for block in network.blocks:
                pooled, chosen = functional.max_pool2d(block.forward(values), 2, return_indices=True)
                self._places.append(_listed(pooled, chosen, values.shape, block.columns, planar=block.last))
                values = pooled.clamp(min=0)
        self._features = values.requires_grad_()
        with torch.enable_grad():
            self._graph = network.rest(self._features)
        self.logits = self._graph.detach()

    def of(self, coefficients: Tensor) -> Tensor:
        """Return the gradient of a combination of logits."""
        (gradient,) = torch.autograd.grad(self._graph, self._features, coefficients, retain_graph=True)
        gradient = gradient.flatten(1)
        for block, (*places, shape) in zip(reversed(self._network.blocks), reversed(self._places), strict=True):
            count, channels, height, width = shape
            out = torch.empty(shape.numel() + _LANES)
            arrays = (tensor.numpy() for tensor in (out, gradient, *places, block.weights))
            scatter_pooled(*arrays, width * channels)
            gradient = out[:-_LANES].view(count, -1)
        return gradient.view(count, height, width, channels).permute(0, 3, 1, 2)


def _listed(pooled: Tensor, chosen: Tensor, shape: torch.Size, columns: int, *, planar: bool) -> _Places:
    count, channels, height, width = shape
    pooled, chosen = (values.flatten(2).contiguous() for values in (pooled, chosen))
    sources, targets = torch.empty((2, count, pooled[0].numel()), dtype=torch.int32)
    places = _Places(sources, targets, torch.empty(pooled.shape[:2], dtype=torch.int32), shape)
    arrays = (tensor.numpy() for tensor in (*places[:3], pooled, chosen))
    list_places(*arrays, (height, width, channels, columns), planar)
    return places


def _block(layers: Sequence[nn.Module], scale: Tensor | None) -> tuple[_Block, int] | None:
    """Return the block that layers begin with, its weights times `scale`, (C,), and how many layers it is made of."""
    parts: list[nn.Module | None] = [*layers[:4], None, None, None]
    convolution = parts.pop(0)
    norm = parts.pop(0) if isinstance(parts[0], nn.BatchNorm2d) else None
    if not (_is_plain(convolution) and isinstance(parts[0], nn.ReLU) and _halves(parts[1])):
        return None
    weights = convolution.weight if scale is None else convolution.weight * scale[:, None, None]
    if norm is not None:
        weights = weights * (norm.weight / (norm.running_var + norm.eps).sqrt())[:, None, None, None]
    outputs, inputs, rows, columns = weights.shape
    arranged = weights.permute(0, 2, 3, 1).reshape(outputs, rows, columns * inputs)
    padded = functional.pad(arranged, (0, -arranged.shape[2] % _LANES)).contiguous()
    forward = convolution if norm is None else nn.Sequential(convolution, norm)
    return _Block(forward, padded, columns), 3 if norm is None else 4


def _is_plain(layer: nn.Module | None) -> TypeGuard[nn.Conv2d]:
    return (
        isinstance(layer, nn.Conv2d)
        and layer.stride == layer.dilation == (1, 1)
        and layer.padding == (0, 0)
        and layer.groups == 1
    )


def _halves(layer: nn.Module | None) -> bool:
    known = {"kernel_size": 2, "stride": 2, "padding": 0, "dilation": 1, "ceil_mode": False}
    return isinstance(layer, nn.MaxPool2d) and all(getattr(layer, name) == value for name, value in known.items())
