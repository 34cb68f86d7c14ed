"""Statistics of a training set: the numbers of one look at all of it, in little memory."""

import json
import subprocess
import sys

import pytest
import torch

from passband.jobs.generation.run import generate
from passband.jobs.training import statistics
from passband.jobs.training.statistics import channel_statistics, moments
from passband.pipeline.loading import open_stream
from tests.jobs.generation.made import small_job


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("at_once", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_parts_add_up_to_the_moments_of_the_whole(dtype, at_once, monkeypatch):
    monkeypatch.setattr(statistics, "_AT_ONCE", at_once)
    images = drawn(5, 3, 9, 6)
    images = images if dtype == "uint8" else (images.double() / 100 + 1000).half()  # far from zero, and close together
    scaled = images.double() / 255 if dtype == "uint8" else images.double()
    found = moments(images[:2]) + moments(images[2:])
    assert found.count == 5 * 9 * 6
    torch.testing.assert_close(found.mean, scaled.mean((0, 2, 3)), rtol=1e-14, atol=0)
    torch.testing.assert_close(found.std, scaled.std((0, 2, 3)), rtol=1e-12, atol=0)


@pytest.mark.parametrize("batch_bytes", [1, 5000, 1 << 23])
@pytest.mark.parametrize("samples", [100, 2000])
def test_the_numbers_are_those_of_the_first_samples_in_one_batch(digits, batch_bytes, samples, monkeypatch):
    monkeypatch.setattr(statistics, "_BATCH_BYTES", batch_bytes)
    monkeypatch.setattr(statistics, "MEASURED_SAMPLES", samples)
    mean, std = channel_statistics(digits, "prime")
    with open_stream(digits, views=["prime"], batch_size=min(samples, 355), shuffle=False, drop_last=False) as stream:
        images = next(iter(stream)).images["prime"].double() / 255
    assert mean == [round(value, 4) for value in images.mean((0, 2, 3)).tolist()]
    assert std == [round(value, 4) for value in images.std((0, 2, 3)).tolist()]


_MEASURE = """
import json, sys
from passband.jobs.training.statistics import channel_statistics
from passband.pipeline.loading import open_stream
from tests.peak import peak_bytes
with open_stream(sys.argv[1], views=["clean"], batch_size=1, shuffle=False, workers=1, prefetch=1) as stream:
    next(iter(stream))  # imports, and memory that reading takes in any case
before = peak_bytes()
found = channel_statistics(sys.argv[1], "clean")
print(json.dumps([found, peak_bytes() - before]))
"""


@pytest.mark.slow
def test_large_images_take_little_memory(tmp_path):
    """355 images of 768 pixels are 628 MB, and were 5 GB as float64."""
    generate(small_job(tmp_path / "large", image={"size": 768}, views=["clean"], output={"encoding": "png"}))
    found = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path / "large")], check=True, capture_output=True, text=True
    )
    (mean, std), taken = json.loads(found.stdout)
    assert taken < 256 << 20
    assert len(mean) == len(std) == 3
