"""How many samples a shard holds where a job leaves it open."""

import json

import pytest
import yaml

from passband.jobs.dataset.blueprint import identity_form
from passband.jobs.dataset.sharding import enough_for, samples_per_shard
from passband.jobs.generation.run import generate
from passband.jobs.generation.verify import verify
from passband.pipeline.errors import PassbandError
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes


def open_job(out, **changes):
    """Return the small job with the number of samples in a shard left open."""
    return small_job(out, **changes).with_samples_per_shard(None)


def chosen(samples, side, encoding="png", views=("clean",)):
    job = open_job("out", image={"size": side}, output={"encoding": encoding}, views=list(views))
    return samples_per_shard(job, samples, (3, side, side), [ViewLike("uint8")] * len(job.view_recipes()))


class ViewLike:
    def __init__(self, dtype):
        self.dtype = dtype


def test_shards_are_about_100_mb_and_at_least_64():
    assert chosen(1_281_167, 224, "npy") * 3 * 224 * 224 == pytest.approx(100e6, rel=0.02)
    assert chosen(1_281_167, 224, "jpeg") > 2 * chosen(1_281_167, 224, "png") > 2 * 600
    assert chosen(50_000, 32) == 782  # 64 shards, which are smaller
    assert chosen(5_000, 32) == 79
    assert chosen(355, 32) == 32
    assert chosen(10, 5000) == 1  # 75 MB of pixels, 56 MB encoded
    assert enough_for(8, 355) == 11
    assert enough_for(8, 3) == 1


def test_what_a_job_says_holds():
    job = small_job("out", output={"samples_per_shard": 7})
    assert samples_per_shard(job, 1_000_000, (3, 32, 32), []) == 7


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("open") / "out"
    generate(open_job(out))
    return out


def test_the_number_is_kept_with_the_dataset_and_no_budget_changes_it(made, tmp_path):
    assert yaml.safe_load((made / "job.yaml").read_text())["job"]["output"]["samples_per_shard"] == 32
    assert len(read_manifest(LocalStore(made)).shards) == 12
    generate(open_job(tmp_path / "other", compute={"batch_size": 5, "threads": 1, "max_attempts": 1}))
    assert stored_bytes(tmp_path / "other") == stored_bytes(made)


def test_a_dataset_that_was_begun_with_500_goes_on_and_verifies(tmp_path):
    begun = small_job(tmp_path / "old", output={"samples_per_shard": 100})
    old = generate(begun)
    before = stored_bytes(tmp_path / "old")
    (tmp_path / "old" / old.shards[1].tar.name).unlink()
    assert generate(open_job(tmp_path / "old")).identity == old.identity
    assert stored_bytes(tmp_path / "old") == before
    assert not list(verify(LocalStore(tmp_path / "old")))
    with pytest.raises(PassbandError, match=r"samples_per_shard is 100 there and 50 here"):
        generate(small_job(tmp_path / "old"))


def test_a_named_number_stands_in_the_identity_as_before():
    job = small_job("out", output={"samples_per_shard": 500})
    assert identity_form(job, (), {"prime": 2, "radial": 1})["output"]["samples_per_shard"] == 500


def test_a_dry_run_tells_of_fewer_than_four_shards_a_worker(tmp_path, passband):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(small_job(tmp_path / "out", output={"samples_per_shard": 200}).resolved()))
    status, said, _ = passband("plan", path, "--executor", "ray", "--workers", 3)
    assert status == 0
    words = " ".join(said.split())
    assert "shards 2 of up to 200 samples warning 3 workers share 2 shards, so some wait for the last: with " in words
    assert "output.samples_per_shard 29 there are four for each" in words
    found = json.loads(passband("plan", path, "--executor", "ray", "--workers", 3, "--json")[1])
    assert "samples_per_shard 29" in found["warnings"][0]
    assert "workers share" not in passband("plan", path)[1]
    assert not (tmp_path / "out").exists()
