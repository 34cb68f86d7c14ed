"""How many samples a shard holds where a job leaves that open.

Decided once, when a dataset is planned, from the job and the number and size of its images alone: the same job gives
the same bytes on every machine, with any number of workers. ``job.yaml`` keeps the number.
"""

import math
from collections.abc import Sequence

from passband.jobs.dataset.spec import GenerateJob
from passband.pipeline.records import ViewEntry

_SHARD_BYTES = 100_000_000
_SHARDS = 64
"""Four for each of sixteen workers, so that none waits long for the last."""
_FEWEST = 32
"""Samples of a shard where there are not many: files of a few kilobytes cost more than they help."""
_SHARE = {"png": 0.75, "webp": 0.5, "jpeg": 0.25, "npy": 1.0}
"""Bytes of an encoded value, measured on photographs and digits; they decide the layout, so they stay as they are."""
_MEMBER_BYTES = 768
"""Of a tar's header, and on average to fill up a block."""


def samples_per_shard(job: GenerateJob, samples: int, shape: Sequence[int], views: Sequence[ViewEntry]) -> int:
    """Return what the job says, or as many samples as make about 100 MB, and at least 64 shards of 32 or more.

    Parameters
    ----------
    samples : of the dataset
    shape : (C, H, W)
    """
    if job.output.samples_per_shard is not None:
        return job.output.samples_per_shard
    share = _SHARE[job.output.encoding]
    values = sum(2.0 if view.dtype == "float16" else share for view in views)
    fitting = int(_SHARD_BYTES / (values * math.prod(shape) + (len(views) + 1) * _MEMBER_BYTES))
    return max(1, min(fitting, max(_FEWEST, -(-samples // _SHARDS))))


def enough_for(workers: int, samples: int) -> int:
    """Return the most samples of a shard with which every worker has four."""
    return max(1, samples // (4 * workers))
