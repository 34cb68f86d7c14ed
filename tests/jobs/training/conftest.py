"""Small real datasets to train on, and the jobs that train on them."""

from pathlib import Path

import pytest

from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.jobs.training.spec import TrainJob, parse_train_job
from tests.jobs.generation.made import VIEWS, small_job


@pytest.fixture(scope="module", autouse=True)
def _one_thread(one_thread) -> None:
    """Compute with one thread in every module here."""


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """Return 355 real digits at 16 x 16: clean, a PRIME view and a low-pass, in npy shards of 50."""
    out = tmp_path_factory.mktemp("digits")
    generate(small_job(out, output={"encoding": "npy"}))
    return out


@pytest.fixture(scope="session")
def domains(tmp_path_factory) -> Path:
    """Return the digits of both splits, as two domains that are two groups, of unlike size."""
    out = tmp_path_factory.mktemp("domains")
    splits = [{"kind": "digits", "split": split, "domain": split} for split in ("test", "train")]
    job = small_job(out, output={"encoding": "npy", "samples_per_shard": 500}).model_dump(mode="json")
    generate(parse_job(job | {"source": splits, "views": VIEWS, "base": []}))
    return out


@pytest.fixture
def train_job(digits, tmp_path):
    """Return a function that makes a job on `digits`; `changes` replace keys of it."""

    def make(out: Path | str = tmp_path / "out", path: Path = digits, **changes) -> TrainJob:
        given = {
            "kind": "train",
            "name": "small",
            "seed": 1,
            "data": {"path": str(path)},
            "network": {"kind": "lenet"},
            "objective": {"kind": "erm"},
            "epochs": 2,
            "batch_size": 50,
            "optimizer": {"lr": 0.05},
            "output": {"uri": str(out), "log_every_steps": 1, "tensorboard": False},
            "compute": {"device": "cpu"},
        }
        merged = {k: given[k] | v if isinstance(given.get(k), dict) else v for k, v in changes.items()}
        return parse_train_job(given | merged)

    return make
