"""What a run that is refused leaves, and what `--overwrite` replaces."""

import json
import os

import pytest
import yaml

from passband.jobs.generation.run import generate
from passband.pipeline.errors import PassbandError
from tests.jobs.generation.made import small_job, stored_bytes


def written(tmp_path, out, **changes):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(small_job(out, **changes).resolved()))
    return path


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_job_that_is_refused_leaves_no_folder(tmp_path):
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    job = small_job(tmp_path / "a" / "b", source={"kind": "imagefolder", "path": str(tmp_path / "empty"), "split": ""})
    with pytest.raises(PassbandError, match="holds no image"):
        generate(job)
    assert everything(tmp_path) == ["empty", "empty/cat"]


def test_an_output_that_was_there_is_left_as_it_was(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    source = {"kind": "imagefolder", "path": str(tmp_path / "empty"), "split": ""}
    with pytest.raises(PassbandError, match="holds no image"):
        generate(small_job(tmp_path / "there", source=source))
    assert everything(tmp_path / "there") == []
    (tmp_path / "there" / "mine.txt").write_text("mine")
    with pytest.raises(PassbandError, match=r"holds mine.txt but no job.yaml"):
        generate(small_job(tmp_path / "there"))
    assert everything(tmp_path / "there") == ["mine.txt"]


def test_no_gpu_is_found_out_before_the_output_is_claimed(tmp_path):
    with pytest.raises(PassbandError, match="cuda"):
        generate(small_job(tmp_path / "out", compute={"backend": "cuda"}))
    assert not (tmp_path / "out").exists()


def stopped_at_once(job):
    """Plan a dataset, and stop before its first shard is done."""

    class Stopped(Exception):
        pass

    class Display:
        def __getattr__(self, name):
            return lambda *given: None

        def started(self, ledger):
            raise Stopped

    with pytest.raises(Stopped):
        generate(job, display=Display())


def test_a_bare_plan_gives_way_to_another_job(tmp_path):
    stopped_at_once(small_job(tmp_path / "out"))
    assert {"job.yaml", "plan.parquet"} <= set(everything(tmp_path / "out"))
    other = small_job(tmp_path / "out", seed=1)
    generate(other)
    generate(small_job(tmp_path / "fresh", seed=1))
    assert stored_bytes(tmp_path / "out") == stored_bytes(tmp_path / "fresh")


def test_a_bare_plan_of_the_same_job_is_gone_on_with(tmp_path):
    stopped_at_once(small_job(tmp_path / "out"))
    written_at = os.stat(tmp_path / "out" / "plan.parquet").st_mtime_ns
    generate(small_job(tmp_path / "out"))
    assert os.stat(tmp_path / "out" / "plan.parquet").st_mtime_ns == written_at


def test_overwrite_is_told_asked_for_and_done_last(tmp_path, passband):
    out = tmp_path / "out"
    generate(small_job(out))
    before = stored_bytes(out)
    path = written(tmp_path, out, seed=1)
    status, _, error = passband("run", path)
    assert status == 1
    assert "seed is 0 there and 1 here" in error
    assert "or let --overwrite delete what is there" in error
    status, _, error = passband("run", path, "--overwrite")
    assert status == 1
    assert "holds the dataset small: " in error
    assert "add --yes to delete all of it" in error
    assert stored_bytes(out) == before
    missing = written(tmp_path, out, source={"kind": "imagefolder", "path": str(tmp_path), "split": ""})
    assert passband("run", missing, "--overwrite", "--yes")[0] == 1  # refused after all: nothing is deleted
    assert stored_bytes(out) == before
    assert passband("run", written(tmp_path, out, seed=1), "--overwrite", "--yes", "--json")[0] == 0
    generate(small_job(tmp_path / "fresh", seed=1))
    assert stored_bytes(out) == stored_bytes(tmp_path / "fresh") != before
    made = os.stat(out / "shards" / "small-000000.tar").st_mtime_ns
    assert passband("run", written(tmp_path, out, seed=1), "--overwrite", "--yes")[0] == 0  # its own: resumed
    assert os.stat(out / "shards" / "small-000000.tar").st_mtime_ns == made


def test_overwrite_deletes_nothing_that_is_not_ours(tmp_path, passband):
    out = tmp_path / "out"
    generate(small_job(out))
    (out / "notes.txt").write_text("mine")
    before = everything(out)
    status, _, error = passband("run", written(tmp_path, out, seed=1), "--overwrite", "--yes")
    assert (status, "holds notes.txt, which is not part of the dataset" in error) == (1, True)
    assert everything(out) == before
    (out / "notes.txt").unlink()
    (out / "shards" / "linked.tar").symlink_to(tmp_path / "job.yaml")
    status, _, error = passband("run", tmp_path / "job.yaml", "--overwrite", "--yes")
    assert (status, "shards/linked.tar is a link" in error) == (1, True)
    assert (tmp_path / "job.yaml").exists()
    assert (out / "manifest.json").exists()


def test_overwrite_replaces_an_analysis_or_a_training_too(tmp_path, passband):
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.json").write_text(json.dumps({"kind": "train", "name": "first"}))
    (out / "model.pt").write_bytes(b"weights")
    path = written(tmp_path, out)
    status, _, error = passband("run", path)
    assert (status, "let --overwrite delete" in error) == (1, True)
    status, _, error = passband("run", path, "--overwrite", "--yes")
    assert status == 0
    assert "holds the training first: 2 files" in error
    assert not (out / "model.pt").exists()
    assert (out / "manifest.json").exists()


def test_overwrite_spares_what_the_job_reads(tmp_path, passband):
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.json").write_text(json.dumps({"kind": "train", "name": "first"}))
    (out / "model.pt").write_bytes(b"weights")
    surrogate = {"network": "lenet", "checkpoint": str(out)}
    path = written(
        tmp_path, out, image={"size": 32}, views=["clean", {"sada": {"surrogate": surrogate, "map": "none"}}]
    )
    status, _, error = passband("run", path, "--overwrite", "--yes")
    assert (status, f"the job reads {out} there, so nothing is deleted" in error) == (1, True)
    assert (out / "model.pt").read_bytes() == b"weights"


def test_overwrite_and_cache_exclude_each_other(tmp_path, passband):
    status, _, error = passband("run", written(tmp_path, tmp_path / "out"), "--overwrite", "--cache", tmp_path)
    assert (status, "below --cache" in error) == (1, True)
