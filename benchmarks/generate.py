"""A whole run: from real digits to verified shards, on Ray workers, start-up aside.

``python -m benchmarks.generate [--workers N] [--rounds N] [--json]``. The contender writes the same views, already
made, with ``webdataset.ShardWriter``; runs alternate, medians are reported.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import describe_machine
from passband.jobs.dataset.spec import GenerateJob, parse_job
from passband.jobs.executors.ray_session import local_ray
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import verify
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore

TARGETS = {"npy": 8000, "png": 6000}


def job(out: Path, encoding: str, workers: int) -> GenerateJob:
    return parse_job(
        {
            "kind": "generate",
            "name": "bench",
            "source": {"kind": "mnist5k", "split": "train"},
            "image": {"size": 32},
            "views": ["clean", {"prime": {"preset": "cifar"}, "copies": 4}],
            "output": {"uri": str(out), "encoding": encoding, "samples_per_shard": 250},
            "compute": {"executor": "ray", "workers": workers},
        }
    )


class _Watch(SilentDisplay):
    """Notes when the first shard can begin and when the last one is done."""

    def started(self, ledger: Any) -> None:
        self.begun = time.time()

    def step(self, name: str) -> None:
        self.ended = getattr(self, "ended", time.time())


def time_run(folder: Path, encoding: str, workers: int) -> dict[str, float]:
    """Make the dataset once; return views a second, over the workers' own first and last moment and in all."""
    watch = _Watch()
    manifest = generate(job(folder, encoding, workers), display=watch)
    store = LocalStore(folder)
    records = [json.loads(store.read(shard.record.name)) for shard in manifest.shards]
    begun = min(record["finished"] - record["seconds"] for record in records)
    ended = max(record["finished"] for record in records)
    checked = time.perf_counter()
    assert not list(verify(store))
    checked = time.perf_counter() - checked
    views = manifest.samples * len(manifest.views)
    return {
        "views_per_s": views / (ended - begun),
        "verified_views_per_s": views / (ended - begun + checked),
        "with_workers_start": views / (watch.ended - watch.begun),
    }


def time_shard_writer(made: Path, folder: Path) -> float:
    """Write the views of a finished dataset with the stock writer; return views a second."""
    import webdataset

    store = LocalStore(made)
    manifest = read_manifest(store)
    samples = [sample for shard in manifest.shards for sample in read_shard(store, manifest, shard)]
    begun = time.perf_counter()
    with webdataset.ShardWriter(str(folder / "%06d.tar"), maxcount=250, verbose=0) as writer:
        for sample in samples:
            images = {f"view{n}.png": np.ascontiguousarray(view) for n, view in enumerate(sample.views)}
            writer.write({"__key__": f"{sample.index:08d}", "cls": sample.label, **images})
    return manifest.samples * len(manifest.views) / (time.perf_counter() - begun)


def measure(workers: int, rounds: int) -> dict[str, Any]:
    """Alternate both encodings and the stock writer `rounds` times after a warm-up; return medians."""
    found: dict[str, list[Any]] = {"npy": [], "png": [], "stock": []}
    with tempfile.TemporaryDirectory() as name, local_ray(workers):
        root = Path(name)
        time_run(root / "warm", "npy", workers)  # compiles the kernels
        for number in range(rounds):
            for encoding in TARGETS:
                found[encoding].append(time_run(root / f"{encoding}{number}", encoding, workers))
            (root / f"stock{number}").mkdir()
            found["stock"].append(time_shard_writer(root / "warm", root / f"stock{number}"))
    medians = {
        encoding: {key: statistics.median(run[key] for run in found[encoding]) for key in found[encoding][0]}
        for encoding in TARGETS
    }
    return {"workers": workers, "rounds": rounds, **medians, "stock_views_per_s": statistics.median(found["stock"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.workers, arguments.rounds)
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"{describe_machine()}; mnist5k, clean + 4 PRIME views of 32x32, {arguments.workers} Ray workers")
    print(f"{'':8}{'views/s':>10}{'target':>8}{'verified':>10}{'incl. workers coming up':>25}{'over stock':>12}")
    for encoding, target in TARGETS.items():
        run = found[encoding]
        ratio = run["views_per_s"] / found["stock_views_per_s"]
        print(
            f"{encoding:8}{run['views_per_s']:10,.0f}{target:8,}{run['verified_views_per_s']:10,.0f}"
            f"{run['with_workers_start']:25,.0f}{ratio:12.2f}"
        )
    print(f"{'stock':8}{found['stock_views_per_s']:10,.0f}   webdataset.ShardWriter, PNG, views already made")


if __name__ == "__main__":
    main()
