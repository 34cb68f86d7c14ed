"""Small real jobs and what they left on disk, for the tests of generation."""

import hashlib
from pathlib import Path

from jobs.spec import GenerateJob, parse_job

VIEWS = ["clean", {"prime": {"preset": "cifar"}}, {"radial": {"high": 4}, "name": "low"}]


def small_job(out: Path | str, *, split: str = "test", **changes) -> GenerateJob:
    """355 real digits at 16x16 in shards of 50, three views; `changes` replace keys of the job."""
    given = {
        "kind": "generate",
        "name": "small",
        "source": {"kind": "digits", "split": split},
        "image": {"size": 16},
        "views": VIEWS,
        "output": {"uri": str(out), "samples_per_shard": 50},
        "compute": {"executor": "inline"},
    }
    changes = {key: given[key] | value if isinstance(given.get(key), dict) else value for key, value in changes.items()}
    return parse_job(given | changes)


def stored_bytes(out: Path) -> dict[str, str]:
    """sha256 of everything whose bytes are promised: shards, provenance, plan and FFCV file."""
    names = [*out.glob("shards/*"), *out.glob("records/*.parquet"), *out.glob("*.beton"), out / "plan.parquet"]
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(names)}
