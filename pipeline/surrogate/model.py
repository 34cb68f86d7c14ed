"""The surrogate: a frozen classifier that sees padded chunks of one fixed shape, so that its bits are one image's own.

Layouts: images (N, C, H, W) float32 in [0, 1], as arrays of the kernels whose memory torch shares.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from passband.kernels import backend
from passband.pipeline.networks.network import NetworkError, read_network
from passband.pipeline.networks.pretrained import IMAGENET, refuse_unknown
from passband.pipeline.networks.safe import load_safely, refuse_non_finite
from passband.pipeline.openmp import single_openmp_thread
from passband.pipeline.surrogate.options import SurrogateOptions

Images = NDArray[np.float32]
Integers = NDArray[np.int64]


class Verdict(NamedTuple):
    """What the surrogate says of N images.

    Attributes
    ----------
    predictions : (N,) int64
    losses : (N,) float32
        Cross-entropy of the label.
    """

    predictions: Integers
    losses: NDArray[np.float32]


class Surrogate:
    """A frozen classifier in evaluation mode; its methods may be called from several threads at once.

    It works where the kernels do, on their arrays and in the order of their stream; images of the host are taken too.

    Parameters
    ----------
    network : module
        (N, C, H, W) in [0, 1] -> (N, classes) logits; it normalises inside.
    kernels : module
        A backend.
    """

    def __init__(
        self, network: nn.Module, options: SurrogateOptions, shape: Sequence[int], kernels: ModuleType
    ) -> None:
        self._kernels, self.device = kernels, torch.device(kernels.torch_device())
        self._network = network.eval().requires_grad_(False).to(self.device)
        self._layout = torch.channels_last if options.channels_last else torch.contiguous_format
        self._network.to(memory_format=self._layout)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # the calls come on streams that do not wait for this one
        self._bfloat16 = options.precision == "bfloat16"
        self.batch = options.batch
        self.shape = tuple(shape)

    def predict(self, images: Images) -> Integers:
        """Return the predictions of at most `batch` images: (N,) int64."""
        with self.calling(), torch.inference_mode():
            return self.logits(self.padded(images))[: len(images)].argmax(1).cpu().numpy()

    def judge(self, images: Images, labels: Integers) -> Verdict:
        """Return predictions and losses of at most `batch` images."""
        with self.calling(), torch.inference_mode():
            logits = self.logits(self.padded(images))[: len(images)]
            target = torch.from_numpy(labels).to(self.device)
            losses = functional.cross_entropy(logits, target, reduction="none")
            return Verdict(logits.argmax(1).cpu().numpy(), losses.cpu().numpy())

    def attack(self, images: Images, labels: Integers) -> tuple[Integers, Images]:
        """Return predictions on clamp(images, 0, 1), and the gradient of each image's own loss through the clamp.

        Parameters
        ----------
        images : at most `batch`, not clipped; the clamp passes gradient where 0 <= x <= 1
        """
        count = len(images)
        with self.calling(), torch.enable_grad():
            padded = self.padded(images).requires_grad_()
            target = torch.zeros(self.batch, dtype=torch.int64)
            target[:count] = torch.from_numpy(labels)
            logits = self.logits(padded.clamp(0, 1))
            loss = functional.cross_entropy(logits, target.to(self.device), reduction="sum")
            (gradient,) = torch.autograd.grad(loss, padded)
            predictions = logits.detach()[:count].argmax(1).cpu().numpy()
            return predictions, self._kernels.from_torch(gradient[:count].contiguous())

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Hold torch to what gives the same bits each time, and to the kernels' stream."""
        with ExitStack() as held:
            held.enter_context(single_openmp_thread())
            held.enter_context(self._kernels.torch_stream())
            if self.device.type == "cuda":
                exact = {"benchmark": False, "deterministic": True, "allow_tf32": False}
                held.enter_context(torch.backends.cudnn.flags(enabled=True, **exact))
            yield

    def padded(self, images: Images) -> torch.Tensor:
        """Return at most `batch` images as a tensor of `batch`, zeros after them; no copy where they fill it."""
        given: torch.Tensor = self._kernels.to_torch(images)
        if len(images) == self.batch:
            return given
        padded = torch.zeros(self.batch, *images.shape[1:], device=self.device)
        padded[: len(images)] = given
        return padded

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of `batch` images, (batch, classes), as `padded` makes them; within `calling` only."""
        images = images.contiguous(memory_format=self._layout)
        if not self._bfloat16:
            return self._network(images)
        with torch.autocast(self.device.type, torch.bfloat16):
            return self._network(images).float()


def load_surrogate(
    content: bytes,
    options: SurrogateOptions,
    *,
    classes: Sequence[str],
    shape: Sequence[int],
    kernels: ModuleType | None = None,
) -> Surrogate:
    """Return the surrogate of a checkpoint's content.

    Parameters
    ----------
    classes : class names of the data
    shape : (C, H, W) of its images
    kernels : module
        The backend that it works beside; by default that of the CPU.

    Raises
    ------
    NetworkError
        If it is another network, tells other classes apart, takes images of another size, or has a weight that is not
        finite; each by name.
    """
    kernels = kernels or backend("cpu")
    if options.is_torchvision:
        return Surrogate(_torchvision(content, options, len(classes), shape), options, shape, kernels)
    network = read_network(content, options.checkpoint, classes=classes, shape=shape)
    if network.spec.kind != options.network:
        raise NetworkError(f"{options.checkpoint}: holds a {network.spec.kind}, surrogate.network is {options.network}")
    return Surrogate(network, options, shape, kernels)


def _torchvision(content: bytes, options: SurrogateOptions, num_classes: int, shape: Sequence[int]) -> nn.Module:
    from torchvision.models import get_model

    name = refuse_unknown(options.network)
    state = load_safely(content, options.checkpoint)
    try:
        body = get_model(name, weights=None, num_classes=num_classes)
        body.load_state_dict(state)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        wanted = f"{options.network} for {num_classes} classes"
        raise NetworkError(f"{options.checkpoint}: is no state dict of {wanted}: {_last_line(error)}") from error
    refuse_non_finite(state, options.checkpoint)
    mean, std = (options.mean, options.std) if options.mean and options.std else IMAGENET
    network = _Normalized(body, mean, std)
    _try_out(network, options, num_classes, shape)
    return network


def _try_out(network: nn.Module, options: SurrogateOptions, num_classes: int, shape: Sequence[int]) -> None:
    """Refuse images of a size that the network cannot take, and networks that do not answer with logits."""
    try:
        with torch.inference_mode():
            logits = network.eval()(torch.zeros(1, *shape))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise NetworkError(f"{options.network}: takes no images of shape {list(shape)}: {_last_line(error)}") from error
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, num_classes):
        raise NetworkError(f"{options.network}: does not answer with {num_classes} logits an image")


def _last_line(error: Exception) -> str:
    """Return the end of what torch says, which names the cause; it lists every key of a network before."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]


class _Normalized(nn.Module):
    """A network of torchvision that is given images in [0, 1]."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: torch.Tensor) -> Any:
        return self.body((images - self.mean) / self.std)


def judge_all(
    surrogate: Surrogate,
    images: Images,
    labels: Integers,
    spread: Callable[[Callable[[int, int], object], int, int], None],
) -> Verdict:
    """Return predictions and losses of any number of images, a chunk at a time.

    Parameters
    ----------
    spread : (work, count, rows)
        Calls ``work(start, stop)`` for ranges of at most `rows` that cover the images, on as many threads as it likes.
    """
    predictions, losses = np.empty(len(images), np.int64), np.empty(len(images), np.float32)

    def work(start: int, stop: int) -> None:
        predictions[start:stop], losses[start:stop] = surrogate.judge(images[start:stop], labels[start:stop])

    spread(work, len(images), surrogate.batch)
    return Verdict(predictions, losses)
