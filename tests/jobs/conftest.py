from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from passband.jobs.comparison import evaluations, trainings
from passband.jobs.dataset.blueprint import Blueprint, read_blueprint
from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.pipeline.records import Manifest
from passband.pipeline.store import LocalStore
from tests.jobs.comparison.runs_made import Made, make_all

HOSTILE_CLASS = '<img src=x onerror="alert(1)">|*b*`c`'
HOSTILE_FILE = "<b onclick=alert(2)>&amp; [key](javascript:1).png"


class Dataset(NamedTuple):
    store: LocalStore
    blueprint: Blueprint
    manifest: Manifest

    def text(self, name: str) -> str:
        return self.store.read(name).decode()


Make = Callable[..., Dataset]


@pytest.fixture(scope="session")
def make(tmp_path_factory, drawn_cards) -> Make:
    """Make a small dataset by a real job: `make(source=..., views=..., output={...}, ...)`.

    Its card has all of its pictures, which take longer than the rest, unless `drawn` is False.
    """

    def make_dataset(*, drawn: bool = True, **changes: Any) -> Dataset:
        folder = tmp_path_factory.mktemp("card") / "set"
        output = {"uri": str(folder)} | changes.pop("output", {})
        job = parse_job({"kind": "generate", "name": "set", "image": {"size": 32}, "output": output} | changes)
        with drawn_cards() if drawn else nullcontext():
            manifest = generate(job)
        store = LocalStore(folder)
        return Dataset(store, read_blueprint(store), manifest)

    return make_dataset


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Made:
    """Runs of every kind but reproductions."""
    return make_all(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Leave out the charts of trainings and evaluations, which take a second each."""
    for section in (trainings, evaluations):
        monkeypatch.setattr(section, "variants", lambda draw: [("", "data:,")])


@pytest.fixture(scope="session")
def digits(make: Make) -> Dataset:
    """Real digits with two flipped views and two filtered ones, in five shards and one FFCV file."""
    return make(
        name="digits",
        source={"kind": "digits", "split": "test"},
        views=[
            "clean",
            {"dct_flip": {}, "copies": 2},
            {"radial": {"high": 8}, "name": "low-pass"},
            {"radial": {"low": 8}, "name": "high-pass"},
        ],
        output={"samples_per_shard": 80, "formats": ["webdataset", "ffcv"]},
    )


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory) -> Callable[..., Path]:
    """Write an image folder: class -> list of (height, width)."""

    def write(classes: dict[str, list[tuple[int, int]]]) -> Path:
        folder = tmp_path_factory.mktemp("images")
        rng = np.random.default_rng(0)
        for name, sizes in classes.items():
            (folder / name).mkdir()
            for number, (height, width) in enumerate(sizes):
                pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{number:03d}.png")
        return folder

    return write


@pytest.fixture(scope="session")
def hostile(make: Make, folder_of) -> Dataset:
    """Class names and keys that are HTML and Markdown, and an image that cannot be read."""
    folder = folder_of({HOSTILE_CLASS: [(32, 32)] * 2, "plain": [(40, 30)]})
    (folder / "plain" / HOSTILE_FILE).write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return make(
        source={"kind": "imagefolder", "path": str(folder)},
        views=["clean", {"radial": {"low": 4, "range": "float"}}],
        bad_images=1,
    )
