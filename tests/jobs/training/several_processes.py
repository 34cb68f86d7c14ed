"""Trains the job files named on the command line, one after the other; started by torchrun in a test."""

import sys

import torch
import torch.distributed as dist

from passband.jobs.training.run import train
from passband.jobs.training.spec import load_train_job

if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    try:
        for path in sys.argv[1:]:
            train(load_train_job(path))
    finally:
        dist.destroy_process_group()
