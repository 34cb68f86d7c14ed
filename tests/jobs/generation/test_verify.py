import shutil

import pytest
import yaml

from jobs.generation.run import SilentDisplay, generate
from jobs.generation.verify import repaired, verify
from pipeline.errors import PassbandError
from pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    generate(small_job(out, output={"formats": ["webdataset", "ffcv"]}))
    return out


@pytest.fixture
def out(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "out")
    return tmp_path / "out"


def flip(path, position=-3000):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-512])


DAMAGE = {
    "a flipped byte": ("shards/small-000003.tar", flip, r"small-000003\.tar: sha256 is \w+, its record says"),
    "a truncated shard": ("shards/small-000003.tar", truncate, r"small-000003\.tar: has \d+ bytes, its record says"),
    "a missing shard": (
        "shards/small-000003.tar",
        lambda p: p.unlink(),
        r"small-000003\.tar: is missing, but its record",
    ),
    "a missing record": (
        "records/000003.json",
        lambda p: p.unlink(),
        r"000003\.json: the record is missing; its shard is there",
    ),
    "a damaged record": (
        "records/000003.json",
        lambda p: p.write_text("{"),
        r"000003\.json: is not a valid ShardRecord",
    ),
    "another's record": (
        "records/000003.json",
        lambda p: shutil.copy(p.with_name("000004.json"), p),
        "is the record of shard 4, not of 3",
    ),
    "flipped provenance": ("records/000003.parquet", flip, r"000003\.parquet: sha256"),
    "missing provenance": ("records/000003.parquet", lambda p: p.unlink(), r"000003\.parquet: is missing"),
}


def test_a_whole_dataset_has_no_problem(dataset):
    assert list(verify(LocalStore(dataset))) == []


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_to_a_shard_is_named_and_repaired(dataset, out, name, damage, message):
    damage(out / name)
    problems = list(verify(LocalStore(out)))
    assert {problem.shard for problem in problems} == {3}
    pytest.raises(AssertionError, _match_none, problems, message)
    untouched = {path: path.stat().st_mtime_ns for path in out.glob("shards/*") if "000003" not in path.name}
    assert repaired(LocalStore(out), problems, SilentDisplay()) == {3}
    assert list(verify(LocalStore(out))) == []
    assert stored_bytes(out) == stored_bytes(dataset)
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched


def _match_none(problems, message):
    import re

    assert not any(re.search(message, problem.message) for problem in problems)


@pytest.mark.parametrize("damage", ["truncated", "missing", "record"])
def test_run_does_not_take_damage_for_good(dataset, out, damage):
    (out / "manifest.json").unlink()
    if damage == "truncated":
        truncate(out / "shards" / "small-000003.tar")
    elif damage == "missing":
        (out / "shards" / "small-000003.tar").unlink()
    else:
        (out / "records" / "000003.json").unlink()
    seen = []

    class Display(SilentDisplay):
        def started(self, ledger):
            seen.extend(ledger.warnings)

    generate(small_job(out, output={"formats": ["webdataset", "ffcv"]}), display=Display())
    assert len(seen) == 1
    assert "small-000003.tar" in seen[0]
    assert stored_bytes(out) == stored_bytes(dataset)


@pytest.mark.parametrize("name", ["plan.parquet", "small.beton"])
@pytest.mark.parametrize("damage", [flip, lambda p: p.unlink()], ids=["flipped", "missing"])
def test_damage_to_derived_files_is_named_and_repaired(dataset, out, name, damage):
    damage(out / name)
    problems = list(verify(LocalStore(out)))
    assert len(problems) == 1
    assert name in problems[0].message
    assert repaired(LocalStore(out), problems, SilentDisplay()) == set()
    assert list(verify(LocalStore(out))) == []
    assert stored_bytes(out) == stored_bytes(dataset)


def test_a_missing_manifest_is_named(out):
    (out / "manifest.json").unlink()
    assert ["no manifest.json" in problem.message for problem in verify(LocalStore(out))] == [True]


def test_a_changed_record_is_named_by_the_manifest(out):
    record = out / "records" / "000001.json"
    record.write_text(record.read_text().replace('"attempts": 1', '"attempts": 2'))
    assert ["000001.json" in problem.message for problem in verify(LocalStore(out))] == [True]


def test_a_stray_shard_is_named(out):
    shutil.copy(out / "shards" / "small-000000.tar", out / "shards" / "small-000099.tar")
    assert ["small-000099.tar: is no shard" in problem.message for problem in verify(LocalStore(out))] == [True]


def test_a_job_changed_in_the_output_is_named(out):
    stored = yaml.safe_load((out / "job.yaml").read_text())
    stored["job"]["seed"] = 3
    (out / "job.yaml").write_text(yaml.safe_dump(stored))
    with pytest.raises(PassbandError, match="was changed after the plan was made"):
        list(verify(LocalStore(out)))


def test_a_folder_that_is_no_dataset_is_named(tmp_path):
    with pytest.raises(PassbandError, match=r"no job\.yaml"):
        list(verify(LocalStore(tmp_path)))
