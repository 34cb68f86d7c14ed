"""What the product gives of an output, in a form that can be compared."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.run import generate
from passband.jobs.generation.verify import verify
from passband.jobs.training.run import train
from passband.jobs.training.spec import load_train_job
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import JOB
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import load_network
from passband.pipeline.store import LocalStore


def streamed(path: Path) -> dict[str, Any]:
    """Return what a training would get: hashes of pixels and columns, names of views and classes, keys."""
    with open_stream(path, batch_size=64, shuffle=False, drop_last=False, workers=1, prefetch=1) as stream:
        pixels = {name: hashlib.sha256() for name in stream.views}
        columns = {name: hashlib.sha256() for name in ("labels", "groups", "indices")}
        for batch in stream:
            for name, sha256 in pixels.items():
                sha256.update(batch.images[name].permute(0, 2, 3, 1).contiguous().numpy().tobytes())
            for name, sha256 in columns.items():
                sha256.update(batch[name].numpy().tobytes())
        return {
            "views": {name: sha256.hexdigest() for name, sha256 in pixels.items()},
            "columns": {name: sha256.hexdigest() for name, sha256 in columns.items()},
            "classes": stream.manifest.classes,
            "keys": stream.keys(stream.indices[:20]),
        }


def verified(path: Path) -> bool:
    """Return whether `verify` calls the dataset whole; raise PassbandError with what it found if not."""
    problems = list(verify(LocalStore(path)))
    if problems:
        raise PassbandError(problems[0].message)
    return True


def stored(path: Path) -> dict[str, str]:
    """Return the sha256 of every file whose bytes are promised."""
    names = [*path.glob("shards/*.tar"), *path.glob("records/*.parquet"), *path.glob("*.beton"), path / "plan.parquet"]
    return {name.relative_to(path).as_posix(): _sha256(name) for name in sorted(names)}


def resumed(job: Path, path: Path) -> dict[str, str]:
    """Run the job again onto its output and return what is stored then."""
    generate(load_job(job).with_output(str(path)))
    return stored(path)


def resumed_from_within(path: Path) -> dict[str, str]:
    """The same by the job that the output holds."""
    return resumed(path / JOB, path)


def loaded(folder: Path) -> dict[str, str]:
    """Return the sha256 of every tensor of a trained network, as an evaluation or a surrogate loads it."""
    return _tensors(load_network(folder).state_dict())


def trained(job: Path, path: Path) -> dict[str, str]:
    """Run a training again onto its output and return the hash of every tensor of its network."""
    given = load_train_job(job)
    train(given.model_copy(update={"output": given.output.model_copy(update={"uri": str(path)})}))
    return loaded(path)


def _tensors(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    return {name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest() for name, tensor in state.items()}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
