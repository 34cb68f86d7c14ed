"""Sharpness-aware minimisation (Foret, Kleiner, Mobahi & Neyshabur, ICLR 2021)."""

from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective
from passband.jobs.training.objectives.perturb import sharp_step
from passband.jobs.training.objectives.samples import SampleOptions, cross_entropies, training_images


class SamOptions(SampleOptions):
    """Options of ``sam``."""

    rho: float = Field(0.05, ge=0, allow_inf_nan=False, description="length of the perturbation of all weights")


class Sam(Objective):
    """Objective `sam`: the gradient of the mean cross-entropy at theta + rho * g / ||g|| (METHODS 6).

    Examples
    --------
    After the example of `Objective`: the perturbation doubles the difference of the logits, ln 3, so that the losses
    ln(4/3) and ln 4 become ln(10/9) and ln 10.

    >>> metrics = Sam(SamOptions(rho=0.5**0.5), setting).step(model, optimizer, batch)
    >>> metrics["loss"], metrics["perturbed_loss"]
    (tensor(0.8370), tensor(1.2040))
    """

    name = "sam"
    Options = SamOptions
    options: SamOptions

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step, of two forward-backward passes."""
        samples = training_images(batch, self.options.on)

        def loss() -> Tensor:
            return global_mean(cross_entropies(self.update, model, samples))

        return sharp_step(self.update, model, optimizer, batch, loss=loss(), again=loss, rho=self.options.rho)
