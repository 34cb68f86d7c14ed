"""Job files and what they leave, as somebody has them who adds something of their own."""

import io
import tarfile

import numpy as np
import pytest
import yaml
from PIL import Image


@pytest.fixture
def write_job(tmp_path):
    """Write a job of kind generate, which `changes` replace keys of, and return its path; its output is ``set``."""

    def write(**changes):
        given = {
            "kind": "generate",
            "name": "toy",
            "source": {"kind": "digits", "split": "test"},
            "image": {"size": 16},
            "views": ["clean"],
            "output": {"uri": str(tmp_path / "set"), "samples_per_shard": 100},
            "compute": {"executor": "inline"},
        }
        return write_yaml(tmp_path / "job.yaml", given | changes)

    return write


def write_yaml(path, given):
    path.write_text(yaml.safe_dump(given))
    return path


def stored_views(folder, view):
    """Return the images of two views of a dataset, ``clean`` and `view`, in one order: (N, H, W, C) uint8 each."""
    found = {"clean": {}, view: {}}
    for path in sorted(folder.glob("shards/*.tar")):
        with tarfile.open(path) as tar:
            for member in tar.getmembers():
                key, _, name = member.name.partition(".")
                if name.removesuffix(".png") in found:
                    found[name.removesuffix(".png")][key] = tar.extractfile(member).read()
    order = sorted(found["clean"])
    assert order == sorted(found[view])
    return [np.stack([np.asarray(Image.open(io.BytesIO(files[key]))) for key in order]) for files in found.values()]


def assert_verified_and_resumed(passband, job, folder):
    """Hold a dataset against its hashes; take two shards away and have the same bytes made again."""
    status, _, error = passband("verify", folder)
    assert status == 0, error
    shards = sorted(folder.glob("shards/*.tar"))
    before = {path: path.read_bytes() for path in shards}
    for path in shards[1:3]:
        path.unlink()
    status, _, error = passband("verify", folder)
    assert status != 0
    status, _, error = passband("verify", folder, "--repair")
    assert status == 0, error
    assert {path: path.read_bytes() for path in sorted(folder.glob("shards/*.tar"))} == before
    for path in shards[1:3]:
        path.unlink()
    status, _, error = passband("run", job)
    assert status == 0, error
    assert {path: path.read_bytes() for path in sorted(folder.glob("shards/*.tar"))} == before
