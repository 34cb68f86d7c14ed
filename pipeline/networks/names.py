"""The names of networks, and which stem a residual network has. Without torch, for the job files."""

from collections.abc import Sequence

OURS = ("convnet", "lenet", "vgg11", "resnet18", "wide_resnet16_4", "densenet_small", "efficientnet_lite0")
TORCHVISION = "torchvision/"
RESIDUAL = ("resnet18", "wide_resnet16_4")
"""Networks of ours with a choice of stem."""
FIXED_NORMS = ("efficientnet_lite0",)
"""Networks of ours that are built with batch norm alone."""
STEMS = ("cifar", "imagenet")
_LARGEST_CIFAR_SIDE = 64


def default_stem(shape: Sequence[int]) -> str:
    """Return the stem for images of `shape` (C, H, W), by the longer side.

    Up to 64 pixels ``cifar``: a 3 x 3 convolution of stride 1, so that the first blocks see every pixel. Above,
    ``imagenet``: a 7 x 7 convolution of stride 2 and a pooling by 2, so that they see a sixteenth of the places, which
    is what keeps an epoch at 224 pixels affordable (He et al. 2016, sections 4.1 and 4.2).
    """
    return "cifar" if max(shape[1:]) <= _LARGEST_CIFAR_SIDE else "imagenet"


def check_network(kind: str, key: str) -> None:
    """Raise ValueError unless `kind` names a network of ours or of torchvision."""
    if kind not in OURS and not (kind.startswith(TORCHVISION) and len(kind) > len(TORCHVISION)):
        raise ValueError(f"{key} is {kind!r}; allowed: {', '.join(OURS)}, or {TORCHVISION}NAME")


def check_parts(kind: str, batch_norm: bool | None, dropout: float | None) -> None:
    """Raise ValueError if batch norm or dropout is chosen for a network that leaves no choice."""
    if batch_norm is not None and (kind not in OURS or kind in FIXED_NORMS):
        allowed = ", ".join(name for name in OURS if name not in FIXED_NORMS)
        raise ValueError(f"batch_norm is chosen for {allowed} only, not for {kind}")
    if dropout is not None and kind not in OURS:
        raise ValueError(f"dropout is chosen for {', '.join(OURS)} only, not for {kind}")


def check_stem(kind: str, stem: str | None) -> None:
    """Raise ValueError if a stem is chosen for a network that has none to choose."""
    if stem is not None and kind not in RESIDUAL:
        raise ValueError(f"a stem is chosen for {' and '.join(RESIDUAL)} only, not for {kind}")
