"""The surrogate: a frozen classifier that sees padded chunks of one fixed shape, so that its bits are one image's own.

Layouts: images (N, C, H, W) float32 in [0, 1], as arrays of the kernels whose memory torch shares.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from passband.pipeline.networks.network import Network
from passband.pipeline.openmp import single_openmp_thread
from passband.pipeline.surrogate.gradients import ByAutograd, ByPlaces, Gradients, PooledNetwork
from passband.pipeline.surrogate.options import SurrogateOptions

Images = NDArray[np.float32]
Integers = NDArray[np.int64]


class Verdict(NamedTuple):
    """What the surrogate says of N images.

    Attributes
    ----------
    predictions : (N,) int64
    losses : (N,) float32
        Cross-entropy of the label; of the prediction itself where there are no labels.
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
        self.own_labels = options.labels == "own"
        self.batch = options.batch
        self.shape = tuple(shape)
        own = isinstance(network, Network) and self.device.type == "cpu" and not self._bfloat16
        self._pooled = PooledNetwork(network) if own else None

    def predict(self, images: Images) -> Integers:
        """Return the predictions of at most `batch` images: (N,) int64."""
        with self.calling(), torch.inference_mode():
            return self.logits(self.padded(images))[: len(images)].argmax(1).cpu().numpy()

    def judge(self, images: Images, labels: Integers | None) -> Verdict:
        """Return predictions and losses of at most `batch` images."""
        with self.calling(), torch.inference_mode():
            logits = self.logits(self.padded(images))[: len(images)]
            target = logits.argmax(1) if labels is None else torch.from_numpy(labels).to(self.device)
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

    @cached_property
    def num_classes(self) -> int:
        """How many classes the network tells apart."""
        with self.calling(), torch.inference_mode():
            return int(self.logits(torch.zeros(self.batch, *self.shape, device=self.device)).shape[1])

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

    def gradients(self, points: torch.Tensor) -> Gradients:
        """Return the logits of `batch` points, and what gives their gradients; within `calling` only."""
        if self._pooled is not None and self._pooled.blocks:
            return ByPlaces(self._pooled, points.contiguous(memory_format=self._layout))
        return ByAutograd(self.logits, points)


def judge_all(
    surrogate: Surrogate,
    images: Images,
    labels: Integers | None,
    spread: Callable[[Callable[[int, int], object], int, int], None],
) -> Verdict:
    """Return predictions and losses of any number of images, a chunk at a time.

    Parameters
    ----------
    labels : (N,) int64, or None for the predictions themselves
    spread : (work, count, rows)
        Calls ``work(start, stop)`` for ranges of at most `rows` that cover the images, on as many threads as it likes.
    """
    predictions, losses = np.empty(len(images), np.int64), np.empty(len(images), np.float32)

    def work(start: int, stop: int) -> None:
        given = None if labels is None else labels[start:stop]
        predictions[start:stop], losses[start:stop] = surrogate.judge(images[start:stop], given)

    spread(work, len(images), surrogate.batch)
    return Verdict(predictions, losses)
