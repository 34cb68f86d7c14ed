"""The outputs that are attacked: small, real, and made once; what they are is known before."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.attack import looks
from passband.jobs.dataset.spec import GenerateJob, parse_job
from passband.jobs.generation.run import generate
from passband.jobs.training.run import train
from passband.jobs.training.spec import TrainJob, parse_train_job

UNPROMISED = {"README.md", "report.html", "_info.json", ".passband.lock", "failures.json"}
"""Files of an output that tell of it, and that nothing reads again."""


@dataclass(frozen=True)
class Look:
    """One way in which the product looks at an output, and what it must give.

    Attributes
    ----------
    look : callable
        Takes the folder.
    mends : bool
        Whether it may write to the folder, and so repairs.
    """

    name: str
    look: Callable[[Path], Any]
    expected: Any
    mends: bool = False


@dataclass(frozen=True)
class Target:
    """An output, an untouched copy of it, and all looks at it."""

    name: str
    folder: Path
    untouched: Path
    looks: list[Look]

    def files(self) -> list[str]:
        """Return the files whose content anything depends on."""
        found = [path for path in sorted(self.untouched.rglob("*")) if path.is_file()]
        return [p.relative_to(self.untouched).as_posix() for p in found if p.name not in UNPROMISED]

    @contextmanager
    def changed(self, contents: dict[str, bytes | None]) -> Iterator[None]:
        """Give some files another content, and put everything back."""
        for name, content in contents.items():
            path = self.folder / name
            path.unlink()
            if content is not None:
                path.write_bytes(content)
        try:
            yield
        finally:
            self.restore()

    def restore(self) -> None:
        """Make the folder what it was."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.untouched, self.folder)


def generate_job(out: Path, **changes: Any) -> dict[str, Any]:
    """Return a job that makes 355 digits of 16 px in a few shards, with a view of each kind."""
    job: dict[str, Any] = {
        "kind": "generate",
        "name": "victim",
        "source": {"kind": "digits", "split": "test"},
        "image": {"size": 16},
        "views": ["clean", {"prime": {"preset": "cifar"}, "copies": 2}, {"radial": {"high": 4}, "name": "low"}],
        "output": {"uri": str(out), "samples_per_shard": 100, "formats": ["webdataset", "ffcv"]},
        "compute": {"executor": "inline"},
    }
    return {key: job[key] | changes.pop(key, {}) if isinstance(job[key], dict) else job[key] for key in job} | changes


def dataset(root: Path) -> Target:
    """Make the dataset, and learn by every look what it gives."""
    out = root / "dataset"
    job: GenerateJob = parse_job(generate_job(out))
    generate(job)
    file = root / "dataset.yaml"
    file.write_text(yaml.safe_dump(generate_job(out)))
    beton = next(out.glob("*.beton")).name
    bytes_of_all = looks.stored(out)
    return _target(
        "dataset",
        out,
        [
            Look("stream", looks.streamed, looks.streamed(out)),
            Look("stream of FFCV", lambda path: looks.streamed(path / beton), looks.streamed(out / beton)),
            Look("verify", looks.verified, True),
            Look("run", partial(looks.resumed, file), bytes_of_all, mends=True),
            Look("run of its own job", looks.resumed_from_within, bytes_of_all, mends=True),
        ],
    )


def train_job(out: Path, data: Path) -> dict[str, Any]:
    """Return a training of a few steps on the dataset."""
    return {
        "kind": "train",
        "name": "victim",
        "seed": 1,
        "data": {"path": str(data), "views": ["clean"]},
        "network": {"kind": "lenet"},
        "objective": {"kind": "erm"},
        "epochs": 2,
        "batch_size": 50,
        "optimizer": {"lr": 0.05},
        "output": {"uri": str(out), "log_every_steps": 1, "tensorboard": False},
        "compute": {"device": "cpu", "threads": 1},
    }


def trainings(root: Path, data: Path) -> list[Target]:
    """Train to the end, and another time to the middle, where a checkpoint lies."""
    found = []
    for name, steps in (("training", None), ("half a training", 9)):
        out = root / name.replace(" ", "-")
        given = train_job(out, data)
        job: TrainJob = parse_train_job(given)
        file = root / f"{out.name}.yaml"
        file.write_text(yaml.safe_dump(given))
        _train(job, steps)
        whole = root / "training"
        views = [Look("train", partial(looks.trained, file), looks.loaded(whole), mends=True)]
        if steps is None:
            views.insert(0, Look("load", looks.loaded, looks.loaded(whole)))
        found.append(_target(name, out, views))
    return found


def _train(job: TrainJob, steps: int | None) -> None:
    """Train to the end, or until so many steps are done."""
    left = iter(range(steps)) if steps is not None else None
    try:
        train(job, stopped=lambda: left is not None and next(left, None) is None)
    except SystemExit:
        if steps is None:
            raise


def _target(name: str, folder: Path, views: list[Look]) -> Target:
    untouched = folder.with_name(f"{folder.name}-untouched")
    shutil.copytree(folder, untouched)
    return Target(name, folder, untouched, views)
