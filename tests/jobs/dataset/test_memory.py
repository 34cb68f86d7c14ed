"""Memory: what a batch holds, what a dry run says of it, and what happens where there is too little."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from passband.jobs.common.address_space import is_lack_of_memory, lack_of_memory
from passband.jobs.dataset.blueprint import draft
from passband.jobs.dataset.environment import current_environment
from passband.jobs.dataset.memory import footprint
from passband.jobs.dataset.plan import make_plan
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.dataset.views import Augmenter
from passband.jobs.executors.base import PermanentError
from passband.jobs.generation.run import generate
from passband.jobs.generation.worker import ShardTask
from tests.jobs.generation.made import small_job, stored_bytes


def drafted(job: GenerateJob):
    job = job.with_absolute_paths()
    return draft(job, make_plan(job), current_environment(job))


def fit(side, threads=2, **changes):
    return footprint(drafted(small_job("out", image={"size": side}, compute={"backend": "cpu"}, **changes)), threads)


def test_a_batch_is_bounded_by_the_bytes_of_its_pixels():
    assert fit(32).samples == 256  # as asked
    assert fit(224).samples == 28  # (9 + 2 * 3) * 150,528 bytes a sample
    assert fit(1000).samples == 1
    for side in (32, 64, 96, 224, 500, 600):
        assert fit(side).in_flight_bytes <= 64_000_000
        assert fit(side).overlaps
    assert not fit(1500).overlaps  # one sample is more: one step after another
    assert fit(2000).samples == 1
    assert fit(32, views=["clean", {"prime": {}, "copies": 100}]).samples < 256
    assert fit(5000).peak_bytes < 2.3e9  # measured: 2 GB
    assert fit(5000).peak_bytes > fit(2000).peak_bytes > fit(32).peak_bytes


def test_batches_of_any_bytes_make_the_same_dataset(tmp_path):
    generate(small_job(tmp_path / "whole"))
    for number, compute in enumerate(({"batch_bytes": 1}, {"batch_bytes": 100_000, "threads": 3})):
        generate(small_job(tmp_path / str(number), compute=compute))
        assert stored_bytes(tmp_path / str(number)) == stored_bytes(tmp_path / "whole")


def test_a_dry_run_states_the_memory(tmp_path, passband):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(small_job(tmp_path / "out", image={"size": 224}).resolved()))
    status, said, _ = passband("plan", path)
    assert status == 0
    said = " ".join(said.split())
    assert "memory up to " in said
    assert " MB a worker: 28 samples at a time, 63.2 MB of pixels in flight" in said
    found = json.loads(passband("plan", path, "--json")[1])
    assert found["at_once"] == 28
    assert found["in_flight_bytes"] == 28 * 15 * 224 * 224 * 3


# A child that makes a dataset and tells the most memory that it took, in bytes.
MEASURE = """
import sys
from passband.jobs.generation.run import generate
from passband.jobs.dataset.spec import load_job
from tests.peak import peak_bytes
generate(load_job(sys.argv[1]))
print(peak_bytes())
"""


def photograph(path, side, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(seed)
    smooth = Image.fromarray(drawn.integers(0, 256, (16, 16, 3), np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    grain = drawn.integers(-6, 7, (side, side, 3), np.int8)
    Image.fromarray((np.asarray(smooth).astype(np.int16) + grain).clip(0, 255).astype(np.uint8)).save(path, quality=92)


def measured(tmp_path, side, images, **changes):
    """Make a dataset of large images in a process of its own; return the peak, and what is said of it before."""
    for number in range(images):
        photograph(tmp_path / "images" / f"class{number % 2}" / f"{number}.jpg", side, number)
    source = {"kind": "imagefolder", "path": str(tmp_path / "images"), "split": ""}
    job = small_job(tmp_path / "out", source=source, image={"size": "native"}, **changes)
    job = job.with_compute(backend="cpu", threads=2)
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job.resolved()))
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "job.yaml")], capture_output=True, text=True, check=True
    )
    return int(said.stdout), footprint(drafted(job), 2).peak_bytes


VIEWS = {
    "prime": ["clean", {"prime": {}}],
    "radial": ["clean", {"radial": {"high": 8}}],
    "augmix": ["clean", "augmix"],
}


@pytest.mark.slow
def test_views_of_2000_pixels_take_what_is_said(tmp_path):
    views = ["clean", {"prime": {}, "copies": 2, "name": "prime"}, {"radial": {"high": 8}}]
    peak, said = measured(tmp_path, 2000, 3, views=views)
    assert peak <= said < 1e9


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        pytest.param("augmix", "png", marks=pytest.mark.slow),
        pytest.param("prime", "png", marks=pytest.mark.campaign),
        pytest.param("radial", "jpeg", marks=pytest.mark.campaign),
    ],
)
def test_views_of_5000_pixels_work_in_2_gb(tmp_path, name, encoding):
    peak, said = measured(tmp_path, 5000, 2, views=VIEWS[name], output={"encoding": encoding})
    assert peak <= min(said, 2 * 2**30)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("glass_blur", marks=pytest.mark.slow),
        pytest.param("elastic_transform", marks=pytest.mark.campaign),
    ],
)
def test_corrupted_images_of_5000_pixels_work_in_2_gb(tmp_path, name):
    base = [{"corrupt": {"types": name, "severity": 3}}]
    peak, said = measured(tmp_path, 5000, 2, base=base, views=["clean"], output={"encoding": "jpeg"})
    assert peak <= min(said, 2 * 2**30)


# The same with a limit on the address space that is set once everything is imported and compiled.
LIMITED = """
import resource, sys
from passband.jobs import cli
from passband.jobs.generation import workshop
prepared, more = workshop.Augmenter.warm_up, int(sys.argv.pop())
def warm_up(self):
    prepared(self)
    used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))
workshop.Augmenter.warm_up = warm_up
cli.main()
"""


def test_too_little_memory_is_one_sentence(tmp_path):
    job = small_job(
        tmp_path / "out", image={"size": 1200}, output={"samples_per_shard": 2}, views=["clean", {"prime": {}}]
    )
    job = job.model_copy(update={"source": [job.source[0].model_copy(update={"split": "test"})]})
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job.resolved()))
    command = [sys.executable, "-c", LIMITED, "run", str(path), str(60_000_000)]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert "shard 000000: memory does not suffice for one sample" in said.stderr
    assert "lower compute.threads or compute.workers" in said.stderr
    assert "the same command tries the rest again" in said.stderr


def test_a_batch_that_does_not_fit_is_halved_on_the_cpu_too(tmp_path, monkeypatch):
    begin = Augmenter._begin

    def tight(self, batch, clock):
        if len(batch.rows) > 20:
            raise MemoryError
        return begin(self, batch, clock)

    generate(small_job(tmp_path / "whole"))
    monkeypatch.setattr(Augmenter, "_begin", tight)
    generate(small_job(tmp_path / "out"))
    assert stored_bytes(tmp_path / "out") == stored_bytes(tmp_path / "whole")
    record = json.loads((tmp_path / "out" / "records" / "000000.json").read_text())
    assert record["notes"][0].startswith("out of memory with 50 samples at once; from now on 25")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError("Unable to allocate 72 MiB"), True),
        (OSError(12, os.strerror(12)), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            True,
        ),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("std::bad_alloc"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB"), True),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (RuntimeError("another"), False),
        (OSError(28, os.strerror(28)), False),
    ],
)
def test_libraries_say_in_their_own_words_that_memory_does_not_suffice(error, told):
    assert is_lack_of_memory(error) is told
    assert (lack_of_memory(error) is not None) is told


def test_a_shard_that_the_system_has_no_memory_for_is_not_tried_again(monkeypatch):
    def fail(task, attempt):
        raise OSError(12, os.strerror(12))

    monkeypatch.setattr("passband.jobs.generation.worker.build_shard", fail)
    with pytest.raises(PermanentError, match="memory does not suffice for 256 samples at once"):
        ShardTask("out", "0" * 64, 0).run(1)


def test_one_thread_takes_less_memory():
    assert fit(224, threads=1).peak_bytes < fit(224).peak_bytes
