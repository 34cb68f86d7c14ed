import json
import re
import shutil

import pytest
import yaml

from passband.jobs.dataset.blueprint import read_blueprint
from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.export import write_export
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.ffcv import Ffcv
from passband.pipeline.loading import open_stream
from passband.pipeline.manifest import read_manifest
from passband.pipeline.seals import own_digest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import as_before_digests, forge, small_job, stored_bytes
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


def test_what_timm_reads_is_held_against_the_manifest_and_repaired(dataset, out):
    path = out / "_info.json"
    written = path.read_bytes()
    for content in (written.replace(b'"num_samples": 355', b'"num_samples": 354'), b"{", b"[" * 100_000):
        path.write_bytes(content)
        (problem,) = verify(LocalStore(out))
        assert re.search(r"_info\.json: (differs from what the manifest says|is not JSON)", problem.message)
    assert repaired(LocalStore(out), [problem], SilentDisplay()) == set()
    assert path.read_bytes() == written
    assert list(verify(LocalStore(out))) == []


def test_a_dataset_of_before_timm_was_told_anything_is_whole(out):
    (out / "_info.json").unlink()
    assert list(verify(LocalStore(out))) == []


def test_a_missing_manifest_is_named(out):
    (out / "manifest.json").unlink()
    assert ["no manifest.json" in problem.message for problem in verify(LocalStore(out))] == [True]


def test_a_changed_record_is_named_by_the_manifest(out):
    record = out / "records" / "000001.json"
    record.write_text(record.read_text().replace('"attempts": 1', '"attempts": 2'))
    (problem,) = verify(LocalStore(out))
    assert "000001.json: was changed after it was written: its digest is" in problem.message
    changed = json.loads(record.read_text())
    record.write_text(json.dumps(changed | {"digest": own_digest(changed)}))
    (problem,) = verify(LocalStore(out))
    assert "manifest.json: shards differ from what the records say" in problem.message


EDITS = {
    "samples": 354,
    "classes": [f"class {number}" for number in range(10)],
    "encoding": "webp",
    "views": [],
    "name": "other",
    "bad": [{"index": 0, "key": "k", "reason": "r"}],
    "identity": "0" * 64,
    "environment": {},
}


@pytest.mark.parametrize("key", EDITS)
def test_an_edit_of_the_manifest_is_named_whatever_was_made_to_fit(out, key):
    manifest = json.loads((out / "manifest.json").read_text()) | {key: EDITS[key]}
    messages = {
        (False, False): "manifest.json: was changed after it was written: its digest is",
        (True, False): r"does not stand in manifest\.sha256: one of the two was changed",
        (True, True): f"manifest.json: (cannot be true: |.*{key}.* differ from what the records say)",
    }
    for (inside, beside), message in messages.items():
        forge(out, manifest, inside=inside, beside=beside)
        (problem,) = verify(LocalStore(out))
        assert re.search(message, problem.message)
        repaired(LocalStore(out), [problem], SilentDisplay())
        assert list(verify(LocalStore(out))) == []


def test_an_exported_beton_is_made_again_with_a_damaged_manifest(tmp_path):
    """Nothing but the manifest knows that there is one: the job does not ask for it."""
    generate(small_job(tmp_path))
    store = LocalStore(tmp_path)
    write_export(store, read_manifest(store), Ffcv())
    made = stored_bytes(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    repaired(store, list(verify(store)), SilentDisplay())
    assert list(verify(store)) == []
    assert stored_bytes(tmp_path) == made


def test_a_hash_of_a_block_that_is_not_its_own_is_named_and_repaired(dataset, out):
    """Nothing could read such a beton, while verify called it good: the file's own hash is right."""
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["beton"]["blocks"][0] = "0" * 64
    forge(out, manifest, inside=True, beside=True)
    (problem,) = verify(LocalStore(out))
    assert re.search(r"small\.beton: block 0: sha256 is \w{64}, the manifest says 0{64}", problem.message)
    repaired(LocalStore(out), [problem], SilentDisplay())
    assert list(verify(LocalStore(out))) == []
    assert stored_bytes(out) == stored_bytes(dataset)


def test_a_dataset_of_before_there_were_digests_is_whole_and_gets_them_by_the_next_run(dataset, out):
    as_before_digests(out)
    assert list(verify(LocalStore(out))) == []
    with open_stream(out, batch_size=50) as stream:
        assert len(list(stream)) == 7
    generate(small_job(out, output={"formats": ["webdataset", "ffcv"]}))
    manifest = json.loads((out / "manifest.json").read_text())
    assert (out / "manifest.sha256").read_text() == f"{manifest['digest']}\n"
    assert list(verify(LocalStore(out))) == []
    assert stored_bytes(out) == stored_bytes(dataset)


@pytest.mark.parametrize(
    ("key", "value"), [("classes", ["x"] * 10), ("samples", 354), ("shape", [3, 8, 8]), ("fingerprint", "0")]
)
def test_an_edit_of_the_stored_job_is_named(out, key, value):
    stored = yaml.safe_load((out / "job.yaml").read_text())
    stored[key] = value
    for given in (stored, {key: value for key, value in stored.items() if key != "digest"}):
        (out / "job.yaml").write_text(yaml.safe_dump(given))
        with pytest.raises(PassbandError, match=r"job\.yaml: was changed after the plan was made"):
            list(verify(LocalStore(out)))


def test_a_stored_job_that_is_cut_short_or_flipped_anywhere_is_refused(out):
    """Cut between two lines it is YAML all the same, and what it lacks has defaults."""
    path = out / "job.yaml"
    content, tried = path.read_bytes(), 0
    changed = [content[:size] for size in range(len(content))]
    changed += [content[:n] + bytes([content[n] ^ 1 << n % 8]) + content[n + 1 :] for n in range(len(content))]
    for given in changed:
        path.write_bytes(given)
        with pytest.raises(PassbandError, match=r"job\.yaml"):
            read_blueprint(LocalStore(out))
        tried += 1
    assert tried == 2 * len(content) > 3000
    ends = [number for number, byte in enumerate(content) if byte == ord("\n")]
    path.write_bytes(content[: ends[-3] + 1])
    with pytest.raises(PassbandError, match=r"job\.yaml: was changed after the plan was made, or cut short"):
        list(verify(LocalStore(out)))
    with pytest.raises(PassbandError, match=r"cut short"):
        load_job(path)


def test_a_stored_job_without_a_digest_is_one_of_before(out):
    path = out / "job.yaml"
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    assert list(verify(LocalStore(out))) == []
    assert load_job(path).name == "small"


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
    forge(out, manifest | {"beton": None}, inside=True, beside=True)
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
