"""Trains a job on several processes, of which the second alone is told to stop, after some steps; for torchrun."""

import sys

import torch
import torch.distributed as dist

from passband.jobs.training.run import train
from passband.jobs.training.spec import load_train_job


class Stop:
    """Says stop once it was asked so many times."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    try:
        train(load_train_job(sys.argv[1]), stopped=Stop(int(sys.argv[2])) if dist.get_rank() == 1 else lambda: False)
    except SystemExit:
        print(f"process {dist.get_rank()} was stopped", flush=True)
    finally:
        dist.destroy_process_group()
