"""Exact, resumable, elastic streams of a finished dataset, for training and evaluation.

The package itself is light; torch is imported when a stream is opened.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from passband.pipeline.loading.batch import Batch as Batch
    from passband.pipeline.loading.presenting import Transform
    from passband.pipeline.loading.stream import Stream as Stream

__all__ = ["Batch", "Stream", "open_stream"]


def open_stream(
    path: str | Path,
    *,
    views: Sequence[str] | None = None,
    batch_size: int,
    seed: int = 0,
    rank: int | None = None,
    world_size: int | None = None,
    drop_last: bool = True,
    shuffle: bool = True,
    balance: Literal["group", "class", "group_class"] | None = None,
    views_by_epoch: bool = False,
    views_as_samples: bool = False,
    window: int | None = None,
    shuffle_labels: int | None = None,
    verify: bool = True,
    workers: int | None = None,
    prefetch: int = 4,
    pin_memory: bool | None = None,
    cache: str | Path | None = None,
    transforms: "Mapping[str, Transform] | Transform | None" = None,
    tv_tensors: bool = False,
) -> "Stream":
    """Open a dataset for training.

    Parameters
    ----------
    path : path or URI of a dataset's folder, or of its ``.beton`` there
    views : names of the views to read, in the order wanted; None: all
    batch_size : int, samples a batch of one rank
    seed : int
        Decides, with the dataset's identity and the epoch, the order of the samples; nothing else does.
    rank, world_size : int or None, both or neither
        Every rank reads its own part of each global batch of ``batch_size * world_size``. Not given, they are those of
        the process group of torch.distributed if there is one (also one that is initialized later), else RANK and
        WORLD_SIZE as torchrun sets them, else 0 and 1; ``repr(stream)`` says which.
    drop_last : bool
        Leave out the last, incomplete global batch; False splits it over the ranks, whose sizes may then differ by one
        and may be 0. Nothing is padded, and every rank gets equally many batches.
    shuffle : bool
        False: stored order, for evaluation.
    balance : "group", "class", "group_class" or None
        Draw from the groups (or classes) that exist in turn; an epoch still has as many draws as there are samples.
        ``group_class``: from the pairs of both that exist, all groups of a class one after the other.
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
    shuffle_labels : int or None
        Seed by which all labels of the dataset change places: a sample keeps its own by chance alone, and every class
        its number of samples. For studies of memorization (Zhang et al. 2017).
    verify : bool
        Compare the sha256 of everything before its first use. Sizes are always compared.
    workers : int or None
        Threads of a rank that decode; None: as many as there are CPUs, at most 8. Workers of a DataLoader divide them.
    prefetch : int
        Batches of a rank made ahead.
    pin_memory : bool or None
        Put batches in page-locked memory; None: if there is CUDA. A DataLoader's workers do not: it has that option.
    cache : folder or None
        Where shards of an object store are kept; None: a temporary folder that `Stream.close` removes.
    transforms : view name -> callable, or one callable for all views
        Called in the threads that decode, with all images of a view in a batch, (N, C, H, W) of their stored dtype;
        what it returns, a tensor whose first axis is N, is handed out in their place. What it draws it draws for the
        whole batch, and from generators of its own: the position and order of the stream do not depend on it. Where
        views are samples of their own, the images are called ``image``. A DataLoader that spawns workers pickles it.
    tv_tensors : bool
        Hand images out, and to `transforms`, as `torchvision.tv_tensors.Image`, which torchvision.transforms.v2 knows
        from other tensors.

    Raises
    ------
    PassbandError
        For options that make no sense, or ranks that are not whole; the message says what is allowed.
    IntegrityError
        If the dataset is unfinished or damaged. Damage to a shard is raised by the first batch that needs it.

    Examples
    --------
    A dataset of 355 digits of 16 x 16 pixels with the views ``clean`` and ``low``, and a position in it that another
    stream goes on from, with batches half as large:

    >>> from passband import open_stream
    >>> with open_stream("runs/digits", batch_size=32) as stream:
    ...     batch, state, following = next(iter(stream)), stream.state_dict(), next(iter(stream))
    >>> batch.images["low"].shape, batch.images["low"].dtype, len(batch.labels)
    (torch.Size([32, 3, 16, 16]), torch.uint8, 32)
    >>> with open_stream("runs/digits", batch_size=16) as stream:
    ...     stream.load_state_dict(state)
    ...     next(iter(stream)).indices.equal(following.indices[:16])
    True
    """
    from passband.pipeline.errors import PassbandError
    from passband.pipeline.loading.building import Delivery
    from passband.pipeline.loading.opening import located
    from passband.pipeline.loading.position import require_count
    from passband.pipeline.loading.presenting import Presentation
    from passband.pipeline.loading.ranks import find_ranks
    from passband.pipeline.loading.source import Request, Source
    from passband.pipeline.loading.stream import Stream
    from passband.pipeline.loading.topology import Topology

    if shuffle_labels is not None:
        require_count("shuffle_labels", shuffle_labels)
    if views_as_samples and views_by_epoch:
        raise PassbandError("views_as_samples reads every view in every epoch, views_by_epoch one: choose one of them")
    ranks = find_ranks(rank, world_size)
    Topology(batch_size, ranks.rank, ranks.world_size, drop_last)  # refuses what makes no sense
    delivery = Delivery.chosen(workers, prefetch, pin_memory)
    request = Request(
        located(path),
        views,
        seed,
        shuffle,
        balance,
        views_by_epoch,
        views_as_samples,
        window,
        verify,
        None if cache is None else located(cache),
        shuffle_labels,
    )
    presentation = Presentation(transforms, tv_tensors)
    stream = Stream(Source(request), ranks, batch_size, drop_last, delivery, presentation)
    try:
        presentation.require(stream.image_names)
        stream.require_batches()
    except BaseException:
        stream.close()
        raise
    return stream


def __getattr__(name: str) -> Any:
    if name == "Batch":
        from passband.pipeline.loading.batch import Batch

        return Batch
    if name == "Stream":
        from passband.pipeline.loading.stream import Stream

        return Stream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
