"""Shards that an earlier run left, held against the hashes in their records before a run counts on them."""

import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from passband.jobs.common.wording import count
from passband.pipeline.checking import check_file
from passband.pipeline.records import ManifestShard, ShardRecord
from passband.pipeline.store import Store

_EVERY_S = 5.0
_MOST_THREADS = 8


def find_damaged(
    store: Store,
    records: Collection[ShardRecord | ManifestShard],
    step: Callable[[str], None],
    checkpoint: Callable[[], None],
) -> dict[int, str]:
    """Return shard -> what is wrong with it, of those whose files do not have the hashes of their records.

    Parameters
    ----------
    step : told what is done, and now and then how far it is
    checkpoint : called after every shard; what it raises ends the run
    """
    damaged: dict[int, str] = {}
    if not records:
        return damaged
    what = f"checking {count(len(records), 'shard')} made before"
    step(what)
    told = time.monotonic()
    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="passband-check")
    try:
        for done, (shard, problem) in enumerate(pool.map(lambda record: _problem(store, record), records), 1):
            if problem is not None:
                damaged[shard] = problem
            checkpoint()
            if time.monotonic() - told > _EVERY_S:
                told = time.monotonic()
                step(f"{what}: {done} done")
    finally:
        pool.shutdown(cancel_futures=True)
    return damaged


def _problem(store: Store, record: ShardRecord | ManifestShard) -> tuple[int, str | None]:
    """Return the shard and the first thing that is wrong with its files; hashing runs beside other threads."""
    problems = (problem for file in (record.tar, record.provenance) for problem in check_file(store, file, None))
    first = next(problems, None)
    return record.shard, None if first is None else first.message
