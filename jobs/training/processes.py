"""One process or several: what torchrun announces, and where this process computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from passband.jobs.common.jobfile import JobError
from passband.jobs.training.launch import announced, local_rank

_TIMEOUT = timedelta(hours=2)  # the first process evaluates while the others wait


def choose_device(asked: str) -> torch.device:
    """Return the device of this process; raise JobError where CUDA is asked for and is not there."""
    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise JobError("compute.device: cuda is asked for, but torch finds no GPU; allowed here: auto, cpu")
    return torch.device("cuda", local_rank())


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Let torch compute with so many threads for a while; None: as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started, where it did; a caller that has joined them stays in charge."""
    if dist.is_initialized() or announced().world_size == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_TIMEOUT)
    try:
        yield
    finally:
        dist.destroy_process_group()
