"""Batch-norm statistics adapted to test samples (Schneider et al. 2020; Modas 2022, equation 5.7; METHODS 7.1)."""

import copy

import torch
from torch import Tensor, nn

from passband.jobs.common.jobfile import JobError
from passband.jobs.evaluation.spec import Adaptation
from passband.pipeline.networks.network import Network


class AdaptedNorm(nn.Module):
    """A batch norm whose statistics are mixed with those of the samples at hand.

    Every `batch` consecutive samples are normalised by mean = N/(N+n) trained + n/(N+n) measured, the variance
    likewise, where N is `prior`, n is `batch`, and the measured variance is the biased one, over the n samples and
    all pixels. A call with fewer than n samples takes them as one group of their number.
    """

    trained_mean: Tensor
    trained_var: Tensor

    def __init__(self, norm: nn.BatchNorm2d, adaptation: Adaptation) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.register_buffer("trained_mean", norm.running_mean)
        self.register_buffer("trained_var", norm.running_var)
        self.adaptation = adaptation

    def forward(self, images: Tensor) -> Tensor:
        """Normalise (k n, C, H, W)."""
        num = min(self.adaptation.batch, len(images))
        groups = images.reshape(-1, num, *images.shape[1:])
        var, mean = torch.var_mean(groups, dim=(1, 3, 4), correction=0, keepdim=True)
        share = num / (self.adaptation.prior + num)
        mean = (1 - share) * _column(self.trained_mean) + share * mean
        var = (1 - share) * _column(self.trained_var) + share * var
        scaled = (groups - mean) * torch.rsqrt(var + self.eps)
        if self.weight is not None:
            scaled = scaled * _column(self.weight) + _column(self.bias)
        return scaled.reshape(images.shape)


def _column(per_channel: Tensor) -> Tensor:
    return per_channel.view(1, 1, -1, 1, 1)


def adapted(network: Network, adaptation: Adaptation) -> Network:
    """Return a copy of `network` in which every batch norm is an `AdaptedNorm`; JobError if it has none."""
    changed = copy.deepcopy(network)
    norms = [(name, module) for name, module in changed.named_modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        raise JobError(
            f"adapt: the network {network.spec.kind} has no batch norm, so there are no statistics to adapt; "
            "leave adapt out"
        )
    for name, norm in norms:
        parent, _, own = name.rpartition(".")
        setattr(changed.get_submodule(parent), own, AdaptedNorm(norm, adaptation))
    return changed.eval()


class AdaptedClassifier:
    """Classifies the batches of one view, adapting to every n consecutive samples, wherever the batches begin.

    The last samples, fewer than n, are adapted to with the samples before them, so that all statistics are of n
    samples. All batches but the last must be multiples of n.
    """

    def __init__(self, network: Network, adaptation: Adaptation) -> None:
        self._network, self._batch = network, adaptation.batch
        self._before: Tensor | None = None

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits of the next batch."""
        whole = len(images) // self._batch * self._batch
        rest = len(images) - whole
        parts = [self._network(images[:whole])] if whole else []
        if rest:
            seen = images if self._before is None else torch.cat([self._before, images])
            parts.append(self._network(seen[-self._batch :])[-rest:])
        self._before = images[-self._batch :]
        return torch.cat(parts)
