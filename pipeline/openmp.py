"""One OpenMP thread for torch's operators, for a while and for the calling thread alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def single_openmp_thread() -> Iterator[None]:
    """Hold torch's operators to the calling thread, which the limit belongs to; other threads keep theirs.

    The order of a sum, and so its last bit, may depend on how many threads share it; and at small sizes a second
    thread gains little: on a busy machine waiting for it took 200 times an operator's time.
    """
    torch.get_num_threads()  # a thread's first operator sets its number; this brings that forward
    with _openmp().limit(limits=1):
        yield


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")
