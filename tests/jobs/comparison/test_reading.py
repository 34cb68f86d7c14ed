"""What a folder is told to be by its content, and what is said of one that is nothing."""

import json
import shutil

import numpy as np
import pytest
import yaml

from passband.jobs.comparison.reading import read_runs
from passband.jobs.comparison.run import shortest_tail
from passband.pipeline.errors import PassbandError
from passband.pipeline.seals import put_sealed, unsealed
from passband.pipeline.store import LocalStore
from tests.jobs.comparison.runs_made import write_analysis, write_reproduction


def test_the_kind_is_told_by_content(runs, tmp_path):
    reproduction = write_reproduction(tmp_path / "any-name")
    found = read_runs([str(path) for path in (*runs, reproduction)])
    kinds = ["generate"] * 3 + ["train"] * 2 + ["evaluate"] * 2 + ["analyze"] * 2 + ["reproduction"]
    assert [run.kind for run in found] == kinds
    assert [run.folder for run in found] == [str(path) for path in (*runs, reproduction)]


def test_names_that_collide_are_told_apart_by_folder(runs):
    labels = [run.label for run in read_runs([str(path) for path in runs])]
    assert labels[:3] == ["digits (data/digits)", "reseeded", "digits (other/digits)"]
    assert labels[5:7] == ["measured (erm)", "measured (sam)"]
    assert len(set(labels[:3])) == 3


def test_a_folder_that_is_given_twice_is_shown_once(runs):
    assert len(read_runs([str(runs.erm), f"{runs.erm}/", f"{runs.erm}/../{runs.erm.name}"])) == 1


def test_as_much_of_the_folder_as_it_takes():
    assert shortest_tail("/a/b/c", ["/x/b/d"]) == "c"
    assert shortest_tail("/a/b/c", ["/x/b/c"]) == "a/b/c"
    assert shortest_tail("/b/c", ["/a/b/c"]) == "/b/c"
    assert shortest_tail("s3://bucket/x/c", ["s3://bucket/y/c"]) == "x/c"


def refused(folder) -> str:
    with pytest.raises(PassbandError) as caught:
        read_runs([str(folder)])
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_what_is_no_run_is_named(runs, tmp_path):
    assert "no such folder" in refused(tmp_path / "absent")
    assert "neither a manifest.json nor a results.json" in refused(tmp_path)
    assert "is a file" in refused(runs.erm / "results.json")


def test_what_is_unfinished_is_named(runs, tmp_path):
    dataset, training, evaluation = (tmp_path / name for name in ("dataset", "training", "evaluation"))
    shutil.copytree(runs.digits, dataset)
    (dataset / "manifest.json").unlink()
    assert "unfinished dataset, without manifest.json" in refused(dataset)
    shutil.copytree(runs.erm, training)
    (training / "results.json").unlink()
    assert "unfinished training, without results.json" in refused(training)
    shutil.copytree(runs.evaluated_erm, evaluation)
    (evaluation / "results.json").unlink()
    assert "unfinished evaluation, without results.json" in refused(evaluation)


def test_what_was_begun_is_named_by_what_is_there(tmp_path):
    (tmp_path / "job.yaml").write_text(yaml.safe_dump({"job": {"kind": "analyze"}}))
    assert "unfinished analysis, without results.json" in refused(tmp_path)
    (tmp_path / "job.yaml").write_text("[: ")
    assert "unfinished run, without results.json" in refused(tmp_path)
    (tmp_path / "job.yaml").unlink()
    (tmp_path / "trainings").mkdir()
    assert "unfinished reproduction, without results.json" in refused(tmp_path)


def test_of_an_object_store_an_analysis_is_read_and_a_training_is_not(runs):
    import fsspec

    files = fsspec.filesystem("memory")
    files.put(str(runs.sensitivity), "/bucket/sensitivity", recursive=True)
    files.put(str(runs.digits), "/bucket/digits", recursive=True)
    files.put(str(runs.erm), "/bucket/erm", recursive=True)
    found = read_runs(["memory://bucket/sensitivity", "memory://bucket/digits"])
    assert [(run.kind, run.label) for run in found] == [("analyze", "sensitivity"), ("generate", "digits")]
    assert "copy it to a folder" in refused("memory://bucket/erm")
    assert "neither" in refused("memory://bucket/nothing")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "results.json is damaged"),
        ("[1]", "holds no mapping"),
        ('{"a": ' * 30_000, "results.json is damaged"),
        ("{}", "of kind None"),
        ('{"kind": ["train"]}', "of kind ['train']"),
        ('{"kind": "bake"}', "of kind 'bake'; a page shows train, evaluate, analyze, reproduction"),
        ('{"kind": "train", "name": "x"}', "results.json is damaged: identity: is missing"),
        ('{"kind": "analyze", "name": "x"}', "results.json is damaged: format: is missing"),
        ('{"kind": "reproduction", "name": "x"}', "results.json is damaged: title: is missing"),
        ('{"kind": "evaluate", "name": "x"}', "is not the results.json of an evaluation"),
    ],
)
def test_damaged_results_are_named(tmp_path, content, message):
    (tmp_path / "results.json").write_text(content)
    assert message in refused(tmp_path)


@pytest.mark.parametrize("name", ["metrics.jsonl", "job.yaml"])
def test_a_training_needs_its_metrics_and_its_job(runs, tmp_path, name):
    shutil.copytree(runs.erm, tmp_path / "training")
    (tmp_path / "training" / name).unlink()
    assert f"no {name}" in refused(tmp_path / "training")


def test_a_job_without_content_is_damaged(runs, tmp_path):
    shutil.copytree(runs.erm, tmp_path / "training")
    (tmp_path / "training" / "job.yaml").write_text(yaml.safe_dump({"identity": "x"}))
    assert "job.yaml is damaged" in refused(tmp_path / "training")


def change(folder, **changes):
    path = folder / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_an_analysis_is_read_as_its_contract_says(runs):
    (run,) = read_runs([str(runs.sensitivity)])
    assert (run.name, run.kind) == ("sensitivity", "analyze")
    with np.load(runs.sensitivity / "maps.npz", allow_pickle=False) as stored:
        assert list(run.content.maps) == ["original", "enhanced"] == list(stored)
        for name, values in run.content.maps.items():
            np.testing.assert_array_equal(values, stored[name])


def test_keys_that_a_later_version_adds_are_no_damage(tmp_path):
    change(write_analysis(tmp_path, "x"), environment={"backend": "cpu"})
    assert read_runs([str(tmp_path)])[0].name == "x"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format: got 2; allowed: 1"),
        ({"what": "taste"}, "what: got 'taste'; allowed: amplitude, sensitivity, attack, margins, coverage, spectrum"),
        ({"shape": [3, 16]}, "shape"),
        ({"shape": [3, 16, 15]}, "original is float64 of shape [16, 16], not a map of the images' [16, 15]"),
        ({"maps": []}, "maps"),
        ({"samples": "many"}, "samples"),
    ],
)
def test_an_analysis_that_breaks_the_contract_is_named(tmp_path, changes, message):
    change(write_analysis(tmp_path, "x"), **changes)
    assert message in refused(tmp_path)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (None, "no maps.npz"),
        (b"PK\3\4 and then nothing", "maps.npz is damaged"),
        ({"original": np.ones((16, 16))}, "maps.npz is damaged"),
        ({name: np.full((16, 16), None) for name in ("original", "enhanced")}, "maps.npz is damaged"),
        ({name: np.ones((16, 16), int) for name in ("original", "enhanced")}, "original is int64"),
    ],
)
def test_damaged_maps_are_named(tmp_path, maps, message):
    path = write_analysis(tmp_path, "x") / "maps.npz"
    path.unlink()
    if isinstance(maps, bytes):
        path.write_bytes(maps)
    elif maps is not None:
        np.savez(path, **maps)
    assert message in refused(tmp_path)


def test_a_number_that_was_edited_afterwards_is_in_no_page(runs, tmp_path):
    folders = []
    for name, run in (("training", runs.erm), ("evaluation", runs.evaluated_erm)):
        folders.append(tmp_path / name)
        shutil.copytree(run, folders[-1])
    for folder in folders:
        path = folder / "results.json"
        put_sealed(LocalStore(folder), "results.json", unsealed(json.loads(path.read_text())))
        read_runs([str(folder)])
        path.write_text(path.read_text().replace('"name": "', '"name": "x', 1))
        assert "was changed after it was written" in refused(folder)
    analysis = write_analysis(tmp_path / "analysis", "a")
    results = json.loads((analysis / "results.json").read_text())
    (analysis / "results.json").write_text(json.dumps(results | {"maps_sha256": "0" * 64}))
    assert "maps.npz is damaged: its sha256 is" in refused(analysis)
