"""Small real jobs and what they left on disk, for the tests of generation."""

import hashlib
import json
from pathlib import Path
from typing import Any

from passband.jobs.dataset.spec import GenerateJob, parse_job
from passband.pipeline.seals import own_digest

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


def forge(out: Path, manifest: dict[str, Any], *, inside: bool = False, beside: bool = False) -> None:
    """Write an edited manifest; its digest is made to fit inside it, and also in the file beside it."""
    if inside:
        manifest = manifest | {"digest": own_digest(manifest)}
    (out / "manifest.json").write_text(json.dumps(manifest))
    if beside:
        (out / "manifest.sha256").write_text(f"{manifest['digest']}\n")


def as_before_digests(out: Path) -> None:
    """Make of a dataset what the versions before digests left."""
    for path in [*out.glob("records/*.json")]:
        record = json.loads(path.read_text())
        del record["digest"]
        path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    manifest = json.loads((out / "manifest.json").read_text())
    del manifest["digest"]
    for shard in manifest["shards"]:
        content = (out / shard["record"]["name"]).read_bytes()
        shard["record"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    (out / "manifest.sha256").unlink()
