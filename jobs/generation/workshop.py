"""What a worker keeps open between the shards of one dataset; threads that are workers have one each."""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import pyarrow.parquet as pq

from passband.jobs.common.address_space import is_lack_of_memory
from passband.jobs.dataset.blueprint import Blueprint, read_blueprint
from passband.jobs.dataset.environment import refuse_other_environment
from passband.jobs.dataset.inputs import load_inputs
from passband.jobs.dataset.memory import give_back_free_memory, spell_out_of_memory
from passband.jobs.dataset.packing import Packer
from passband.jobs.dataset.reading import Reader
from passband.jobs.dataset.views import Augmenter
from passband.jobs.executors.base import DeviceFailure, PermanentError
from passband.jobs.executors.here import check_stopped
from passband.kernels.cuda.device import VARIABLE, failures
from passband.pipeline.augment.base import LARGE
from passband.pipeline.errors import IntegrityError, OutputError, PassbandError
from passband.pipeline.layout import PLAN
from passband.pipeline.sources import SourceError
from passband.pipeline.store import Store, open_store

_opening = threading.Lock()


@dataclass(frozen=True)
class Workshop:
    """What a worker keeps open.

    Attributes
    ----------
    footer : of the plan
        It grows with the number of shards, so it is parsed once.
    """

    store: Store
    blueprint: Blueprint
    footer: pq.FileMetaData
    reader: Reader
    augmenter: Augmenter
    packer: Packer


def _open(uri: str, identity: str) -> Workshop:
    """Open a dataset and compile its kernels, one thread at a time."""
    with _opening:
        check_stopped()
        store = open_store(uri)
        blueprint = read_blueprint(store)
        if blueprint.identity != identity:
            raise IntegrityError(f"{store.uri}: holds dataset {blueprint.identity}, the task is of {identity}")
        refuse_other_environment(blueprint, store.uri)
        augmenter = Augmenter(blueprint, load_inputs(store, blueprint.inputs))
        if math.prod(blueprint.shape[1:]) > LARGE:
            give_back_free_memory()
        augmenter.warm_up()
        with store.open(PLAN) as file:
            footer = pq.read_metadata(file)
        return Workshop(store, blueprint, footer, Reader(blueprint), augmenter, Packer(blueprint))


class _Own(threading.local):
    """What is each thread's own: sources, stages and a device's batches have a state, which no two may share."""

    def __init__(self) -> None:
        self.workshop = lru_cache(maxsize=1)(_open)


own = _Own()
"""``own.workshop(uri, identity)`` opens a dataset, or finds it open."""


def open_workshop(uri: str, identity: str, device: str | None = None) -> None:
    """Get a worker ready for the shards of a dataset: imports, compiled kernels, source and plan.

    Parameters
    ----------
    device : what ``PASSBAND_CUDA_DEVICE`` is where the job was started: it holds for its workers too
    """
    if device is not None:
        os.environ[VARIABLE] = device
    with told_apart(samples=1):
        own.workshop(uri, identity)


@contextmanager
def told_apart(samples: int) -> Iterator[None]:
    """Raise what no retry can mend as a PermanentError, and the loss of a device as a DeviceFailure.

    Parameters
    ----------
    samples : that come at once, where memory does not suffice
    """
    try:
        yield
    except (OutputError, SourceError):
        raise  # a source may answer again
    except failures() as error:  # RuntimeErrors on a real GPU: asked before all others
        raise DeviceFailure(f"the device failed: {error}") from error
    except (MemoryError, OSError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        raise PermanentError(spell_out_of_memory(samples)) from error
    except PassbandError as error:
        raise PermanentError(str(error)) from error
