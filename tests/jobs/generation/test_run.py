import json
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.ledger import BadImagesError, ShardsFailedError
from passband.jobs.generation.run import generate
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.lock import locked
from passband.pipeline.manifest import read_manifest
from passband.pipeline.sources import SOURCES
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes
from tests.pipeline.sources.files import write_folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    generate(small_job(out, output={"formats": ["webdataset", "ffcv"]}))
    return out


def test_every_sample_is_stored_once_with_all_views(dataset):
    store = LocalStore(dataset)
    manifest = read_manifest(store)
    samples = [sample for shard in manifest.shards for sample in read_shard(store, manifest, shard)]
    assert [sample.index for sample in samples] == list(range(manifest.samples))
    source = SOURCES["digits"](SOURCES["digits"].Options(split="test"))
    assert {sample.key: sample.label for sample in samples} == {e.key: e.label for e in source.entries()}
    assert all(view.shape == (16, 16, 3) for sample in samples for view in sample.views)
    assert [view.name for view in manifest.views] == ["clean", "prime", "low"]
    assert sum(manifest.class_counts.values()) == manifest.samples == sum(manifest.group_counts.values())


def test_view_0_is_the_source_image(dataset):
    from passband.pipeline.images import fit_image

    store = LocalStore(dataset)
    manifest = read_manifest(store)
    source = SOURCES["digits"](SOURCES["digits"].Options(split="test"))
    entries = {entry.key: entry for entry in source.entries()}
    for sample in read_shard(store, manifest, manifest.shards[2]):
        image = source.decode(source.read([entries[sample.key]])[0])
        np.testing.assert_array_equal(sample.views[0], fit_image(image, (16, 16), "crop"))


def test_neighbors_in_the_plan_are_not_sorted_by_class(dataset):
    labels = pq.read_table(dataset / "plan.parquet")["label"].to_numpy()
    assert np.mean(labels[1:] == labels[:-1]) < 0.2


def test_the_provenance_points_at_the_bytes_of_every_member(dataset):
    for shard in sorted(dataset.glob("shards/*.tar")):
        table = pq.read_table(dataset / "records" / f"{shard.stem[-6:]}.parquet").to_pylist()
        content = shard.read_bytes()
        with tarfile.open(shard) as archive:
            members = {m.name: archive.extractfile(m).read() for m in archive}
        for row in table:
            for field in ("clean.png", "prime.png", "low.png", "json"):
                start, size = row[f"{field}.offset"], row[f"{field}.size"]
                assert content[start : start + size] == members.pop(f"{row['index']:08d}.{field}")
        assert not members


def test_what_prime_drew_stands_in_the_provenance(dataset):
    columns = pq.read_schema(dataset / "records" / "000000.parquet").names
    assert any(name.startswith("view1.0.prime.") for name in columns)


@pytest.mark.parametrize("encoding", ["png", "npy", "webp"])
def test_every_lossless_encoding_stores_the_same_pixels(dataset, tmp_path, encoding):
    generate(small_job(tmp_path, output={"encoding": encoding}))
    for ours, theirs in zip(_samples(tmp_path), _samples(dataset), strict=True):
        assert ours.key == theirs.key
        np.testing.assert_array_equal(np.stack(ours.views), np.stack(theirs.views))


def _samples(out):
    store = LocalStore(out)
    manifest = read_manifest(store)
    return [sample for shard in manifest.shards for sample in read_shard(store, manifest, shard)]


def test_a_float_view_is_stored_exactly_to_half_precision(tmp_path):
    views = ["clean", {"radial": {"high": 4, "range": "float"}}, {"radial": {"low": 4, "range": "float"}}]
    for encoding in ("png", "npy"):
        out = tmp_path / encoding
        generate(small_job(out, views=views, output={"encoding": encoding}))
        for sample in _samples(out)[:40]:
            clean, low, high = (np.float64(view) for view in sample.views)
            assert sample.views[1].dtype == np.float16
            np.testing.assert_allclose(low + high, clean / 255, atol=1e-3)


@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_the_batch_size_changes_no_byte(dataset, tmp_path, batch_size):
    job = small_job(tmp_path, compute={"batch_size": batch_size}, output={"formats": ["webdataset", "ffcv"]})
    generate(job)
    assert stored_bytes(tmp_path) == stored_bytes(dataset)


def test_the_seed_changes_plan_and_views(dataset, tmp_path):
    generate(small_job(tmp_path, seed=1))
    ours, theirs = _samples(tmp_path), {sample.key: sample for sample in _samples(dataset)}
    assert [s.key for s in ours] != list(theirs)
    same = [np.array_equal(s.views[1], theirs[s.key].views[1]) for s in ours]
    assert np.mean(same) < 0.05
    assert all(np.array_equal(s.views[0], theirs[s.key].views[0]) for s in ours)


def test_copies_are_independent(tmp_path):
    generate(small_job(tmp_path, views=["clean", {"prime": {"preset": "cifar"}, "copies": 2}]))
    same = [np.array_equal(sample.views[1], sample.views[2]) for sample in _samples(tmp_path)]
    assert np.mean(same) < 0.05


def test_running_again_does_nothing(dataset):
    before = {path: path.stat().st_mtime_ns for path in dataset.glob("[rs]*/*")}
    generate(small_job(dataset, output={"formats": ["webdataset", "ffcv"]}))
    assert {path: path.stat().st_mtime_ns for path in dataset.glob("[rs]*/*")} == before


def test_the_stored_job_runs_and_gives_the_same_bytes(dataset, tmp_path):
    again = load_job(dataset / "job.yaml").with_output(str(tmp_path))
    generate(again)
    assert stored_bytes(tmp_path) == stored_bytes(dataset)


def test_another_job_on_the_same_output_is_refused_by_its_differences(dataset):
    with pytest.raises(PassbandError, match=r"seed is 0 there and 5 here; views\[2\].*high is 4.0 there and 5.0 here"):
        generate(
            small_job(
                dataset, seed=5, views=["clean", {"prime": {"preset": "cifar"}}, {"radial": {"high": 5}, "name": "low"}]
            )
        )


def test_formats_and_compute_may_change(dataset):
    before = stored_bytes(dataset)
    generate(small_job(dataset, compute={"batch_size": 3}))
    assert stored_bytes(dataset) == before


def test_a_job_changed_in_the_output_is_refused(dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    stored = yaml.safe_load((out / "job.yaml").read_text())
    stored["job"]["seed"] = 9
    for given in (stored, {key: value for key, value in stored.items() if key != "digest"}):
        (out / "job.yaml").write_text(yaml.safe_dump(given))
        with pytest.raises(PassbandError, match="was changed after the plan was made"):
            generate(small_job(out, seed=9))


def test_another_environment_is_refused_by_what_differs(dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    stored = yaml.safe_load((out / "job.yaml").read_text())
    stored["environment"]["numpy"] = "1.0"
    del stored["digest"]
    (out / "job.yaml").write_text(yaml.safe_dump(stored))
    with pytest.raises(PassbandError, match=r"numpy 1\.0 \(here "):
        generate(small_job(out))


def test_a_plan_changed_in_the_output_is_refused(dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    plan = bytearray((out / "plan.parquet").read_bytes())
    plan[100] ^= 1
    (out / "plan.parquet").write_bytes(plan)
    with pytest.raises(IntegrityError, match=r"plan\.parquet: is not the plan"):
        generate(small_job(out))


def test_shards_without_a_job_are_not_adopted(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "x.tar").write_bytes(b"")
    with pytest.raises(PassbandError, match=r"holds shards/x\.tar but no job\.yaml"):
        generate(small_job(tmp_path))


@pytest.mark.parametrize("name", ["README.md", "notes.txt", "small.beton", "manifest.json"])
def test_files_of_the_user_are_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(PassbandError, match=f"holds {name} but no job"):
        generate(small_job(tmp_path))
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("below", ["", "out", "a/b"])
def test_an_output_inside_the_source_is_refused(tmp_path, below):
    folder = write_folder(tmp_path / "images")
    with pytest.raises(PassbandError, match="lie inside one another"):
        generate(small_job(folder / below, source={"kind": "imagefolder", "path": str(folder)}))


def test_a_source_inside_the_output_is_refused(tmp_path):
    folder = write_folder(tmp_path / "images")
    with pytest.raises(PassbandError, match="lie inside one another"):
        generate(small_job(tmp_path, source={"kind": "imagefolder", "path": str(folder)}))


def test_a_second_run_on_one_output_is_refused(tmp_path):
    script = (
        "from tests.jobs.generation.made import small_job\nfrom passband.jobs.generation.run import generate\n"
        f"generate(small_job({str(tmp_path)!r}))"
    )
    with locked(LocalStore(tmp_path)):
        child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert child.returncode == 1
    assert "another passband process is at work on this output" in child.stderr


def test_faults_are_retried_and_counted(dataset, tmp_path):
    generate(small_job(tmp_path), faults={2: ("raise", "raise"), 5: ("raise",)})
    attempts = [json.loads(path.read_text())["attempts"] for path in sorted(tmp_path.glob("records/*.json"))]
    assert attempts == [1, 1, 3, 1, 1, 2, 1, 1]
    theirs = {name: digest for name, digest in stored_bytes(dataset).items() if not name.endswith(".beton")}
    assert stored_bytes(tmp_path) == theirs


def test_a_poisoned_shard_is_named_and_does_not_stop_the_others(dataset, tmp_path):
    with pytest.raises(
        ShardsFailedError, match=r"1 of 8 shards failed; 7 are done.*\n.*shard 000002: .*injected fault"
    ):
        generate(small_job(tmp_path), faults={2: ("raise",) * 3})
    assert len(list(tmp_path.glob("records/*.json"))) == 7
    assert not (tmp_path / "manifest.json").exists()
    generate(small_job(tmp_path))
    assert stored_bytes(tmp_path) == {n: d for n, d in stored_bytes(dataset).items() if not n.endswith(".beton")}


def test_a_failure_budget_stops_early(tmp_path):
    with pytest.raises(ShardsFailedError, match="2 of 8 shards failed; 0 are done"):
        generate(small_job(tmp_path, compute={"failure_budget": 1}), faults={i: ("raise",) * 3 for i in range(8)})


def test_bad_images_are_listed_and_leave_gaps_within_the_budget(tmp_path):
    folder = write_folder(tmp_path / "images")
    victims = sorted(folder.rglob("*.PNG"))[:2]
    victims[0].write_bytes(b"")
    victims[1].write_bytes(victims[1].read_bytes()[:-20])
    source = {"kind": "imagefolder", "path": str(folder)}
    out = tmp_path / "out"
    with pytest.raises(
        BadImagesError, match=r"2 images cannot be read, bad_images allows 0 (?s:.*): truncated PNG\n.*: empty"
    ):
        generate(small_job(out, source=source))
    manifest = generate(small_job(out, source=source, bad_images=2))
    keys = {victim.relative_to(folder).as_posix() for victim in victims}
    assert {bad.key for bad in manifest.bad} == keys
    samples = _samples(out)
    gaps = {bad.index for bad in manifest.bad}
    assert {s.index for s in samples} == set(range(len(samples) + 2)) - gaps
    assert not keys & {s.key for s in samples}


def test_a_source_that_changed_after_planning_is_named(tmp_path):
    folder = write_folder(tmp_path / "images")
    job = small_job(tmp_path / "out", source={"kind": "imagefolder", "path": str(folder)})
    with pytest.raises(ShardsFailedError):
        generate(job, faults={0: ("raise",) * 3})
    victim = sorted(folder.rglob("*.PNG"))[0]
    shutil.copy(sorted(folder.rglob("*.PNG"))[-1], victim)
    with pytest.raises(
        ShardsFailedError, match=f"sample '{victim.relative_to(folder).as_posix()}' of the source changed"
    ):
        generate(job)


def test_a_moved_source_must_be_the_same_source(tmp_path):
    folder, out = write_folder(tmp_path / "images"), tmp_path / "out"
    job = small_job(out, source={"kind": "imagefolder", "path": str(folder)})
    generate(job)
    made = stored_bytes(out)
    shutil.copytree(folder, tmp_path / "moved")
    moved = small_job(out, source={"kind": "imagefolder", "path": str(tmp_path / "moved")})
    generate(moved)
    assert stored_bytes(out) == made
    other = write_folder(tmp_path / "other", count=4)
    with pytest.raises(IntegrityError, match="was made from other images than the source imagefolder has now"):
        generate(small_job(out, source={"kind": "imagefolder", "path": str(other)}))
    assert stored_bytes(out) == made


def test_class_names_are_part_of_the_identity(tmp_path):
    manifests = []
    for classes in (("cat", "dog"), ("cat", "eel")):
        folder = write_folder(tmp_path / classes[1] / "images", classes=classes)
        job = small_job(tmp_path / classes[1] / "out", source={"kind": "imagefolder", "path": str(folder)})
        manifests.append(generate(job))
    assert manifests[0].classes != manifests[1].classes
    assert manifests[0].identity != manifests[1].identity


def test_a_moved_dataset_runs_in_its_place(tmp_path):
    generate(small_job(tmp_path / "there"))
    shutil.move(tmp_path / "there", tmp_path / "here")
    made = stored_bytes(tmp_path / "here")
    (tmp_path / "here" / "records" / "000002.json").unlink()
    generate(load_job(tmp_path / "here" / "job.yaml"))
    assert stored_bytes(tmp_path / "here") == made
    assert not (tmp_path / "there").exists()


def test_a_relative_output_is_kept_as_an_absolute_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate(small_job("out"))
    stored = yaml.safe_load((tmp_path / "out" / "job.yaml").read_text())
    assert stored["job"]["output"]["uri"] == str(tmp_path / "out")


def test_a_damaged_manifest_is_made_again(dataset, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(dataset, out)
    (out / "manifest.json").write_text("{")
    generate(small_job(out, output={"formats": ["webdataset", "ffcv"]}))
    assert stored_bytes(out) == stored_bytes(dataset)


def test_native_size_is_that_of_the_first_readable_image(tmp_path):
    folder = write_folder(tmp_path / "images")
    victims = sorted(folder.rglob("*.PNG"))[:-1]
    for victim in victims:
        victim.write_bytes(b"")
    job = small_job(
        tmp_path / "out", source={"kind": "imagefolder", "path": str(folder)}, image={"size": "native"},
        views=["clean"], bad_images=len(victims),
    )  # fmt: skip
    assert generate(job).shape == [3, 4, 3]


def test_an_exceeded_budget_is_told_before_more_is_made(tmp_path):
    folder = write_folder(tmp_path / "images")
    for victim in sorted(folder.rglob("*.PNG")):
        victim.write_bytes(b"")
    job = small_job(
        tmp_path / "out", source={"kind": "imagefolder", "path": str(folder)}, output={"samples_per_shard": 1}
    )  # fmt: skip
    for _ in range(2):
        with pytest.raises(BadImagesError, match="1 images? cannot be read"):
            generate(job)
    assert len(list(tmp_path.glob("out/records/*.json"))) == 1


def test_a_checkpoint_may_end_a_run_after_any_shard(dataset, tmp_path):
    def stop():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        generate(small_job(tmp_path), checkpoint=stop)
    assert len(list(tmp_path.glob("records/*.json"))) == 1
    generate(small_job(tmp_path))
    assert stored_bytes(tmp_path) == {n: d for n, d in stored_bytes(dataset).items() if not n.endswith(".beton")}


def test_several_sources_keep_domains_apart(tmp_path):
    sources = [
        {"kind": "digits", "split": "test", "domain": "uci"},
        {"kind": "mnist5k", "split": "test", "domain": "mnist"},
    ]
    job = small_job(tmp_path, views=["clean"])
    job = type(job).model_validate(job.resolved() | {"source": sources})
    manifest = generate(job)
    samples = _samples(tmp_path)
    assert manifest.domains == ["uci", "mnist"]
    assert {s.domain for s in samples} == {0, 1} == {s.group for s in samples}
    assert {s.key.partition("/")[0] for s in samples} == {"uci", "mnist"}


def test_one_sample_and_one_view(tmp_path):
    folder = write_folder(tmp_path / "images")
    for path in sorted(folder.rglob("*.PNG"))[1:]:
        path.unlink()
    manifest = generate(
        small_job(
            tmp_path / "out", source={"kind": "imagefolder", "path": str(folder)}, views=["clean"],
            output={"formats": ["webdataset", "ffcv"]},
        )
    )  # fmt: skip
    assert manifest.samples == 1
    assert manifest.beton is not None


def test_no_sample_is_one_clear_error(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(PassbandError, match="images"):
        generate(small_job(tmp_path / "out", source={"kind": "imagefolder", "path": str(tmp_path / "images")}))
