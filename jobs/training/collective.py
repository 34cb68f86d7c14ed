"""Sums over the processes of one training (torchrun), differentiable.

The law that makes any loss exact over several processes: a loss is computed from sums over the *global* batch, each
taken by `sum_over_ranks`, so that every process holds the same loss; the gradient of a process then covers its own
samples, and `sum_gradients` adds them up to the gradient of the global loss. With one process both do nothing.
"""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from passband.jobs.training.launch import announced


def rank() -> int:
    """Return the number of this process, 0 where there is only one."""
    return dist.get_rank() if _several() else 0


def announced_rank() -> int:
    """Return the number that torchrun gave this process, before it joins the others."""
    return announced().rank


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if _several() else 1


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()


class _SumOverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Every process holds the same loss, so the gradient by the sum is the same everywhere, and so is that by
        # each term. The gradients of the processes are added up later.
        return gradients[0]


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Return the sum of a float tensor over all processes; gradients flow to this process's term."""
    if world_size() == 1:
        return tensor
    total: Tensor = _SumOverRanks.apply(tensor)
    return total


def global_mean(values: Tensor) -> Tensor:
    """Return the mean of per-sample `values` (N,) over the global batch; N may differ between processes, or be 0."""
    totals = sum_over_ranks(torch.stack([values.sum(), values.new_full((), len(values))]))
    return totals[0] / totals[1]


def sum_gradients(parameters: Iterable[Tensor]) -> None:
    """Add up the gradients of all processes, in one message; a parameter without a gradient counts as zero."""
    if world_size() == 1:
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    for parameter, part in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
        parameter.grad = part.view_as(parameter).clone()


def mean_over_ranks(tensors: Iterable[Tensor]) -> None:
    """Replace float tensors by their mean over all processes, in place: batch-norm statistics are per process."""
    if world_size() == 1:
        return
    with torch.no_grad():
        for tensor in tensors:
            if tensor.is_floating_point():
                dist.all_reduce(tensor)
                tensor /= world_size()


def said_by_any(said: Iterable[bool], device: torch.device) -> list[bool]:
    """Return, for each of some questions, whether any process says yes; all processes get the same answers."""
    if world_size() == 1:
        return list(said)
    answers = torch.tensor(list(said), dtype=torch.int64, device=device)
    dist.all_reduce(answers, dist.ReduceOp.MAX)
    return [bool(answer) for answer in answers.tolist()]


def gathered(values: Tensor) -> Tensor:
    """Return the `values` (N,) of all processes, one after the other; N is the same in each."""
    if world_size() == 1:
        return values
    parts = [torch.empty_like(values) for _ in range(world_size())]
    dist.all_gather(parts, values.contiguous())
    return torch.cat(parts)


def gathered_rows(values: Tensor) -> tuple[Tensor, slice]:
    """Return the rows (N, ...) of all processes, one after the other, and where this one's are; N may differ."""
    if world_size() == 1:
        return values, slice(0, len(values))
    counts = gathered(torch.tensor([len(values)], device=values.device)).tolist()
    padded = values.new_zeros((max(counts), *values.shape[1:]))
    padded[: len(values)] = values
    parts = gathered(padded).split(max(counts)) if max(counts) else [values] * len(counts)
    begin = sum(counts[: rank()])
    rows = torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])
    return rows, slice(begin, begin + len(values))
