"""How far a dataset is, read from its output folder alone: it needs neither the driver nor a cluster."""

from typing import Any

from filelock import FileLock, Timeout

from jobs.display import duration
from jobs.generation.blueprint import read_blueprint
from jobs.generation.ledger import find_done
from jobs.generation.run import LOCK
from jobs.report.wording import size
from pipeline.manifest import MANIFEST, ShardRecord
from pipeline.store import LocalStore, Store, open_store


def read_status(uri: str) -> dict[str, Any]:
    """Return the state of the dataset at `uri` as plain values; nothing in the output is changed.

    Raises
    ------
    PassbandError
        If there is no dataset.
    """
    store = open_store(uri)
    blueprint = read_blueprint(store)
    done, warnings = find_done(store, blueprint)
    samples = sum(record.samples for record in done.values())
    finished = store.exists(MANIFEST) and len(done) == blueprint.shards
    running = _is_locked(store)
    return {
        "output": store.uri,
        "name": blueprint.job.name,
        "identity": blueprint.identity,
        "state": "running" if running else "finished" if finished else "unfinished",
        "shards": blueprint.shards,
        "done": len(done),
        "retried": sum(record.attempts - 1 for record in done.values()),
        "samples": blueprint.samples,
        "samples_done": samples,
        "views": len(blueprint.views()),
        "bytes": sum(record.tar.bytes for record in done.values()),
        "bad_images": [bad.model_dump() for record in done.values() for bad in record.bad],
        "problems": warnings,
        **_speed(list(done.values()), blueprint.samples),
    }


def _is_locked(store: Store) -> bool:
    if not isinstance(store, LocalStore) or not store.exists(LOCK):
        return False
    lock = FileLock(store.root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _speed(records: list[ShardRecord], samples: int) -> dict[str, float | None]:
    """Samples a second between the first record's start and the last one's end; pauses of a resumed run count."""
    if not records:
        return {"samples_per_s": None, "eta_s": None}
    begun = min(record.finished - record.seconds for record in records)
    spent = max(max(record.finished for record in records) - begun, 1e-3)
    made = sum(record.samples for record in records)
    rate = made / spent
    return {"samples_per_s": round(rate, 1), "eta_s": round((samples - made) / rate, 1) if rate else None}


def spell_status(found: dict[str, Any]) -> str:
    """Spell what `read_status` returned for a terminal."""
    lines = [
        f"{found['name']} at {found['output']}: {found['state']}",
        f"shards   {found['done']:,} of {found['shards']:,} done, {found['retried']} retried",
        f"samples  {found['samples_done']:,} of {found['samples']:,} x {found['views']} views, {size(found['bytes'])}",
    ]
    if found["samples_per_s"]:
        eta = f", about {duration(found['eta_s'])} left" if found["state"] != "finished" else ""
        lines.append(f"speed    {found['samples_per_s']:,.0f} samples/s{eta}")
    lines += [f"bad      {bad['key']}: {bad['reason']}" for bad in found["bad_images"]]
    lines += [f"problem  {problem}" for problem in found["problems"]]
    return "\n".join(lines)
