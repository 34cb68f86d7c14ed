"""One update of the weights: backward pass, sum over the processes, clipping, step; and when not to step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import sum_gradients


class NonFiniteError(ArithmeticError):
    """A loss or gradient that is not finite; nothing was stepped. `indices` are the plan indices of the batch."""

    def __init__(self, what: str, value: float, batch: TrainBatch) -> None:
        super().__init__(f"the {what} is {value}")
        self.indices: list[int] = batch.indices.tolist()


class Update:
    """Does what every objective does alike.

    Parameters
    ----------
    clip_norm : float or None
        Longest l2 norm of the gradient of all parameters together.
    autocast : torch.dtype or None
        dtype of the forward pass where torch thinks it safe (bfloat16); None is float32 throughout.
    """

    def __init__(
        self, device: torch.device, clip_norm: float | None = None, autocast: torch.dtype | None = None
    ) -> None:
        self.device = device
        self.clip_norm = clip_norm
        self._dtype = autocast

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Run a forward pass in the chosen precision."""
        with torch.autocast(self.device.type, dtype=self._dtype, enabled=self._dtype is not None):
            yield

    def logits(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return the logits of `images` as float32."""
        with self.autocast():
            logits: Tensor = model(images)
        return logits.float()

    def gradient(self, model: nn.Module, loss: Tensor, batch: TrainBatch) -> None:
        """Set every parameter's gradient to that of the global `loss`, which is the same in every process.

        Raises
        ------
        NonFiniteError
            Before the backward pass, in every process alike.
        """
        if not torch.isfinite(loss):
            raise NonFiniteError("loss", float(loss.detach()), batch)
        model.zero_grad(set_to_none=True)
        loss.backward()
        sum_gradients(model.parameters())

    def apply(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Tensor:
        """Clip the gradient, step, and return its norm before clipping; raise NonFiniteError before the step."""
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if not torch.isfinite(norm):
            raise NonFiniteError("norm of the gradient", float(norm), batch)
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(model.parameters(), self.clip_norm, norm)
        optimizer.step()
        return norm

    def minimize(self, model: nn.Module, optimizer: Optimizer, loss: Tensor, batch: TrainBatch) -> dict[str, Tensor]:
        """Do one plain step down `loss` and return ``loss`` and ``gradient_norm``."""
        self.gradient(model, loss, batch)
        norm = self.apply(model, optimizer, batch)
        return {"loss": loss.detach(), "gradient_norm": norm}
