"""Exact, resumable, elastic streams of a finished dataset, for training and evaluation.

The package itself is light; torch is imported when a stream is opened.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pipeline.loading.batch import Batch as Batch
    from pipeline.loading.stream import Stream as Stream

__all__ = ["Batch", "Stream", "open_stream"]


def open_stream(
    path: str | Path,
    *,
    views: Sequence[str] | None = None,
    batch_size: int,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    drop_last: bool = True,
    shuffle: bool = True,
    balance: Literal["group", "class"] | None = None,
    views_by_epoch: bool = False,
    views_as_samples: bool = False,
    window: int | None = None,
    verify: bool = True,
    workers: int | None = None,
    prefetch: int = 4,
    pin_memory: bool | None = None,
    cache: str | Path | None = None,
) -> "Stream":
    """Open a dataset for training.

    Parameters
    ----------
    path : path or URI of a dataset's folder, or of its ``.beton`` there
    views : names of the views to read, in the order wanted; None: all
    batch_size : int, samples a batch of one rank
    seed : int
        Decides, with the dataset's identity and the epoch, the order of the samples; nothing else does.
    rank, world_size : int
        Every rank reads its own part of each global batch of ``batch_size * world_size``.
    drop_last : bool
        Leave out the last, incomplete global batch; False splits it over the ranks, whose sizes may then differ by one
        and may be 0. Nothing is padded, and every rank gets equally many batches.
    shuffle : bool
        False: stored order, for evaluation.
    balance : "group", "class" or None
        Draw from the groups (or classes) that exist in turn; an epoch still has as many draws as there are samples.
    views_by_epoch : bool
        In epoch e read only the e-th of `views`.
    views_as_samples : bool
        Every view of every sample is a draw of its own, once an epoch, in one shuffle over all: training on the set
        enlarged by stored copies (Modas 2022, section 5.4.4). A batch then has ``images["image"]``, and ``views`` says
        which view each image is. With `balance` the groups or classes of these draws come in turn; with
        ``shuffle=False`` the views of a sample follow each other.
    window : int or None
        Mix only within so many shards at a time: what a remote or disk-bound dataset needs. Fetched shards of past
        windows are dropped.
    verify : bool
        Compare the sha256 of everything before its first use. Sizes are always compared.
    workers : int or None
        Threads that decode; None: as many as there are CPUs, at most 8.
    prefetch : int
        Batches made ahead.
    pin_memory : bool or None
        Put batches in page-locked memory; None: if there is CUDA.
    cache : folder or None
        Where shards of an object store are kept; None: a temporary folder that `Stream.close` removes.

    Raises
    ------
    PassbandError
        For options that make no sense; the message says what is allowed.
    IntegrityError
        If the dataset is unfinished or damaged. Damage to a shard is raised by the first batch that needs it.
    """
    from pipeline.errors import PassbandError
    from pipeline.loading.building import Delivery
    from pipeline.loading.opening import open_reader, strata
    from pipeline.loading.order import Order
    from pipeline.loading.stream import Stream
    from pipeline.loading.topology import Topology
    from pipeline.loading.views import require_one_form

    if views_as_samples and views_by_epoch:
        raise PassbandError("views_as_samples reads every view in every epoch, views_by_epoch one: choose one of them")
    topology = Topology(batch_size, rank, world_size, drop_last)
    delivery = Delivery.chosen(workers, prefetch, pin_memory)
    manifest, chosen, reader = open_reader(path, views, verify=verify, cache=cache)
    if views_as_samples:
        require_one_form(chosen, str(path))
    draws = len(chosen) if views_as_samples else 1
    order = Order(manifest.identity, seed, shuffle, reader.shards, window, balance, strata(reader, balance), draws)
    return Stream(
        manifest,
        reader,
        chosen,
        order,
        topology,
        delivery,
        views_by_epoch=views_by_epoch,
        views_as_samples=views_as_samples,
    )


def __getattr__(name: str) -> Any:
    if name == "Batch":
        from pipeline.loading.batch import Batch

        return Batch
    if name == "Stream":
        from pipeline.loading.stream import Stream

        return Stream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
