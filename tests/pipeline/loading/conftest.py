"""Small real datasets in every encoding, made once by real jobs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from passband.jobs.generation.run import generate
from passband.pipeline.formats.sample import Sample
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest
from passband.pipeline.records import Manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job


class Made(NamedTuple):
    """A dataset and what a plain walk through its shards finds."""

    path: Path
    manifest: Manifest
    samples: dict[int, Sample]


def walked(path: Path) -> Made:
    store = LocalStore(path)
    manifest = read_manifest(store)
    samples = (sample for shard in manifest.shards for sample in read_shard(store, manifest, shard))
    return Made(path, manifest, {sample.index: sample for sample in samples})


@pytest.fixture(scope="session")
def make(tmp_path_factory):
    """Make a dataset of 355 digits in 8 shards, or what the changes to its job say."""

    def make_dataset(**changes) -> Made:
        path = tmp_path_factory.mktemp("loading") / "set"
        generate(small_job(path, **changes))
        return walked(path)

    return make_dataset


@pytest.fixture(scope="session")
def npy(make) -> Made:
    return make(output={"encoding": "npy", "formats": ["webdataset", "ffcv"]})


@pytest.fixture(scope="session")
def png(make) -> Made:
    return make(output={"formats": ["webdataset", "ffcv"]})


@pytest.fixture
def damaged(npy, tmp_path):
    """A copy of a dataset that a test may damage."""
    import shutil

    return Path(shutil.copytree(npy.path, tmp_path / "copy"))


def assert_holds(batch, made: Made, views) -> None:
    """Every pixel and every column of a batch is that of its samples."""
    for place, index in enumerate(batch.indices.tolist()):
        sample = made.samples[index]
        assert (batch.labels[place], batch.groups[place]) == (sample.label, sample.group)
        for view in views:
            number = next(entry.number for entry in made.manifest.views if entry.name == view)
            np.testing.assert_array_equal(batch.images[view][place].permute(1, 2, 0).numpy(), sample.views[number])
