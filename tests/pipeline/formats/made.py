"""Small datasets of odd numbers of images of odd sizes, made by real jobs."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.pipeline.formats import PRIMARY
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore

SEVEN = 7
"""Samples in three shards of 3, 3 and 1."""
VIEWS = ["clean", {"radial": {"high": 2}, "name": "low"}, {"dct_flip": {}}]
FLOAT_VIEWS = ["clean", {"radial": {"low": 2, "range": "float"}, "name": "high"}]


def write_images(folder, count, classes=("cat", "dog")):
    """Write `count` pictures of noise, of the classes in turn."""
    rng = np.random.default_rng(count)
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (9, 7, 3), np.uint8)
        Image.fromarray(pixels).save(folder / classes[number % len(classes)] / f"{number}.png")
    return folder


def job(root: Path, form, count: int, **changes):
    """A job of `count` images of two domains below `root`, in shards of 3, stored in the format too."""
    sources = []
    for domain, images in (("photo", count - count // 2), ("sketch", count // 2)):
        folder = root / domain if (root / domain).exists() else write_images(root / domain, images)
        sources.append({"kind": "imagefolder", "path": str(folder), "domain": domain})
    formats = list(dict.fromkeys([PRIMARY, form.name]))
    output = {"uri": str(root / "out"), "samples_per_shard": 3, "formats": formats} | changes.pop("output", {})
    given = {
        "kind": "generate",
        "name": "odd",
        "source": sources if count > 1 else sources[0],
        "image": {"size": [6, 5]},
        "views": VIEWS,
        "output": output,
        "compute": {"executor": "inline"},
    }
    return parse_job(given | changes)


def made(root: Path, form, count: int, **changes) -> Path:
    """Make the dataset of `job` and return its folder."""
    generate(job(root, form, count, **changes))
    return root / "out"


def opened(folder: Path):
    """Return the store of a dataset and its manifest."""
    store = LocalStore(folder)
    return store, read_manifest(store)


def walked(folder: Path):
    """Return all samples of a dataset, by a plain walk through its shards."""
    store, manifest = opened(folder)
    return [sample for shard in manifest.shards for sample in read_shard(store, manifest, shard)]


def hashes(folder: Path, form) -> dict[str, str]:
    """Return the sha256 of every file of the format, whatever the manifest says of it."""
    _, manifest = opened(folder)
    return {file.name: hashlib.sha256((folder / file.name).read_bytes()).hexdigest() for file in form.files(manifest)}
