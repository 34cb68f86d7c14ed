import json
import shutil

import pytest
import yaml

from jobs.generation.run import SilentDisplay, generate
from jobs.generation.verify import repaired, verify
from pipeline.errors import PassbandError
from pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes
from tests.pipeline.sources.files import write_folder


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
    (problem,) = verify(LocalStore(out))
    assert "manifest.json: shards differ from what the records say" in problem.message


@pytest.mark.parametrize(
    ("key", "value"),
    [("samples", 354), ("classes", ["x"] * 10), ("encoding", "npy"), ("views", []), ("name", "other"), ("bad", [])],
)
def test_an_edit_of_the_manifest_is_named(out, key, value):
    manifest = json.loads((out / "manifest.json").read_text())
    manifest[key] = value if manifest[key] != value else [{"index": 0, "key": "k", "reason": "r"}]
    (out / "manifest.json").write_text(json.dumps(manifest))
    (problem,) = verify(LocalStore(out))
    assert f"manifest.json: {key} differ from what the records say" in problem.message
    repaired(LocalStore(out), [problem], SilentDisplay())
    assert list(verify(LocalStore(out))) == []


@pytest.mark.parametrize(
    ("key", "value"), [("classes", ["x"] * 10), ("samples", 354), ("shape", [3, 8, 8]), ("fingerprint", "0")]
)
def test_an_edit_of_the_stored_job_is_named(out, key, value):
    stored = yaml.safe_load((out / "job.yaml").read_text())
    stored[key] = value
    (out / "job.yaml").write_text(yaml.safe_dump(stored))
    with pytest.raises(PassbandError, match=r"job\.yaml: was changed after the plan was made"):
        list(verify(LocalStore(out)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 5000, r"job\.yaml"),
        ("format: 1", "identity: is missing"),
        ("{}", "damaged or of another version"),
        ("1", "damaged or of another version"),
    ],
)
def test_a_stored_job_that_is_none_is_one_clear_error(out, text, message):
    (out / "job.yaml").write_text(text)
    with pytest.raises(PassbandError, match=message):
        list(verify(LocalStore(out)))


def test_a_beton_that_the_manifest_does_not_name_is_named(out):
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"beton": None}))
    (problem,) = verify(LocalStore(out))
    assert "small.beton: is an FFCV file that the manifest does not name" in problem.message
    repaired(LocalStore(out), [problem], SilentDisplay())
    assert list(verify(LocalStore(out))) == []


def test_a_repair_that_cannot_be_made_destroys_nothing(tmp_path):
    folder = write_folder(tmp_path / "images")
    out = tmp_path / "out"
    generate(small_job(out, source={"kind": "imagefolder", "path": str(folder)}))
    flip(out / "shards" / "small-000000.tar")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(PassbandError, match="does not exist"):
        repaired(LocalStore(out), list(verify(LocalStore(out))), SilentDisplay())
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_record_of_another_tar_does_not_count(dataset, out):
    record = out / "records" / "000001.json"
    first = json.loads((out / "records" / "000000.json").read_text())
    record.write_text(json.dumps(json.loads(record.read_text()) | {"tar": first["tar"]}))
    generate(small_job(out, output={"formats": ["webdataset", "ffcv"]}))
    assert list(verify(LocalStore(out))) == []
    assert stored_bytes(out) == stored_bytes(dataset)


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
