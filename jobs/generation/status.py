"""How far a dataset is, read from its output folder alone: it needs neither the driver nor a cluster."""

from typing import Any

from passband.jobs.common.wording import duration, size
from passband.jobs.dataset.blueprint import read_blueprint
from passband.jobs.generation.ledger import find_done
from passband.jobs.generation.throughput import Throughput, add_up
from passband.pipeline.documents import read_json
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.layout import FAILURES, JOB, MANIFEST
from passband.pipeline.lock import is_locked
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import Store, open_store


def read_status(uri: str) -> dict[str, Any]:
    """Return the state of the dataset at `uri` as plain values; nothing in the output is changed.

    Raises
    ------
    PassbandError
        If there is no dataset.
    """
    store = open_store(uri)
    if not store.exists(JOB) and is_locked(store):
        raise PassbandError(f"{store.uri}: a run is planning it (images are listed, maps computed); no shard has begun")
    blueprint = read_blueprint(store)
    done, warnings = find_done(store, blueprint)
    samples = sum(record.samples for record in done.values())
    damaged = _manifest_problem(store)
    finished = store.exists(MANIFEST) and not damaged and len(done) == blueprint.shards
    running = is_locked(store)
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
        "failed": _failures(store),
        "problems": damaged + warnings,
        **_speed(add_up(done.values()), blueprint.samples),
    }


def _manifest_problem(store: Store) -> list[str]:
    """Return what is wrong with a manifest that is there; nothing where there is none yet."""
    try:
        if store.exists(MANIFEST):
            read_manifest(store)
    except IntegrityError as error:
        return [f"{error}; the same job, run again, writes it anew"]
    return []


def _failures(store: Store) -> dict[str, str]:
    """Return shard -> what happened in the last run; {} where it failed nowhere."""
    try:
        return {str(shard): str(error) for shard, error in read_json(store, FAILURES).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}


def _speed(found: Throughput, samples: int) -> dict[str, Any]:
    """Return the rate while a worker was on a shard, what is left at that rate, and each step's own rate."""
    rate = found.samples_per_s
    return {
        "samples_per_s": None if rate is None else round(rate, 1),
        "eta_s": round((samples - found.samples) / rate, 1) if rate else None,
        "steps": {
            step.name: {
                "share": round(step.share, 4),
                "samples_per_s": step.samples_per_s and round(step.samples_per_s, 1),
            }
            for step in found.steps
        },
    }


def spell_status(found: dict[str, Any]) -> str:
    """Spell what `read_status` returned for a terminal."""
    lines = [
        f"{found['name']} at {found['output']}: {found['state']}",
        f"shards   {found['done']:,} of {found['shards']:,} done, {found['retried']} retried",
        f"samples  {found['samples_done']:,} of {found['samples']:,} x {found['views']} views, {size(found['bytes'])}",
    ]
    if found["samples_per_s"]:
        views = found["samples_per_s"] * found["views"]
        eta = f", about {duration(found['eta_s'])} left" if found["state"] != "finished" else ""
        lines.append(f"speed    {found['samples_per_s']:,.0f} samples/s, {views:,.0f} views/s{eta}")
        lines += _spell_steps(found["steps"])
    lines += [f"failed   {error}" for error in found["failed"].values()]
    lines += [f"bad      {bad['key']}: {bad['reason']}" for bad in found["bad_images"]]
    lines += [f"problem  {problem}" for problem in found["problems"]]
    return "\n".join(lines)


def _spell_steps(steps: dict[str, dict[str, float | None]]) -> list[str]:
    rows = [
        f"  {name:<14} {100 * (step['share'] or 0):5.1f} %  {step['samples_per_s'] or 0:10,.0f} samples/s"
        for name, step in steps.items()
    ]
    return ["steps, busy time of one worker:", *rows]
