"""What `status` says of a folder that holds no dataset: what it is, and how far."""

import json
import shutil

import pytest
from filelock import FileLock

from passband.jobs.comparison.status import read_run
from passband.pipeline.layout import LOCK
from passband.pipeline.store import LocalStore
from tests.jobs.comparison.runs_made import write_reproduction


def told(passband, folder, monkeypatch):
    """Return the lines of the text and the object of the JSON, of which both must be there."""
    monkeypatch.setenv("COLUMNS", "60")
    status, out, err = passband("status", folder)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert all(len(line) <= 60 for line in lines if str(folder) not in line)
    return lines, json.loads(passband("status", folder, "--json")[1])


def test_a_finished_training(runs, passband, monkeypatch):
    lines, found = told(passband, runs.erm, monkeypatch)
    assert lines[0] == "training erm: finished"
    assert (found["kind"], found["state"], found["step"], found["epochs"]) == ("train", "finished", 21, 3)
    assert "steps    21 of 21" in lines
    assert "epochs   3" in lines
    assert any(line.startswith("test/low ") for line in lines)


def test_a_training_that_was_killed_in_its_second_epoch(runs, passband, tmp_path, monkeypatch):
    folder = tmp_path / "killed"
    shutil.copytree(runs.erm, folder)
    (folder / "results.json").unlink()
    log = (folder / "metrics.jsonl").read_text().splitlines()
    kept = [line for line in log if json.loads(line)["step"] <= 12]
    (folder / "metrics.jsonl").write_text("\n".join(kept) + "\n")
    lines, found = told(passband, folder, monkeypatch)
    assert lines[0] == "training erm: unfinished"
    assert (found["step"], found["epoch"]) == (12, 1)
    assert "epochs   in epoch 2 of 3" in lines
    assert lines[-1] == "the same command resumes it"
    with FileLock(folder / LOCK):
        assert told(passband, folder, monkeypatch)[1]["state"] == "running"


def test_a_training_that_has_only_begun(runs, passband, tmp_path, monkeypatch):
    (tmp_path / "job.yaml").write_bytes((runs.erm / "job.yaml").read_bytes())
    lines, found = told(passband, tmp_path, monkeypatch)
    assert lines[0] == "training erm: unfinished"
    assert (found["step"], found["loss"]) == (0, None)


def test_evaluations(runs, passband, tmp_path, monkeypatch):
    lines, found = told(passband, runs.evaluated_erm, monkeypatch)
    assert lines[0] == "evaluation measured: finished"
    assert found["conditions"] > 5
    shutil.copytree(runs.evaluated_erm, tmp_path / "e")
    (tmp_path / "e" / "results.json").unlink()
    lines, found = told(passband, tmp_path / "e", monkeypatch)
    assert lines[0] == "evaluation e: unfinished"
    assert found["predicted"] == 2
    assert "views    2 predicted" in lines


def test_analyses_by_their_results_alone(runs, passband, monkeypatch):
    lines, found = told(passband, runs.sensitivity, monkeypatch)
    assert lines[0] == "analysis sensitivity: finished"
    assert (found["what"], found["samples"], found["of"]) == ("sensitivity", 200, 355)


def test_reproductions(passband, tmp_path, monkeypatch):
    lines, found = told(passband, write_reproduction(tmp_path / "r"), monkeypatch)
    assert lines[0] == "reproduction sharpdro: finished"
    assert found["rows"] > 2
    half = tmp_path / "half"
    for part, name, last in (
        ("datasets", "a-1", "manifest.json"),
        ("trainings", "b-1", "results.json"),
        ("trainings", "c-1", None),
    ):
        (half / part / name).mkdir(parents=True)
        if last:
            (half / part / name / last).write_text("{}")
    lines, found = told(passband, half, monkeypatch)
    assert lines[0] == "reproduction half: unfinished"
    assert found["jobs"] == {"datasets": {"begun": 1, "done": 1}, "trainings": {"begun": 2, "done": 1}}
    assert "trainings 1 of 2 begun are done" in lines


def test_datasets_and_other_folders_are_left_to_others(runs, tmp_path):
    assert read_run(LocalStore(runs.digits)) is None
    assert read_run(LocalStore(tmp_path)) is None
    (tmp_path / "datasets").mkdir()  # where trainings keep what they made
    assert read_run(LocalStore(tmp_path)) is None


@pytest.mark.parametrize("name", ["job.yaml", "results.json", "metrics.jsonl"])
@pytest.mark.parametrize("content", [b"[" * 5000, b"\xff\x00", b'{"a": ' + b"1" * 5000 + b"}\n"])
def test_a_damaged_file_is_one_line_that_names_it(runs, passband, tmp_path, name, content):
    shutil.copytree(runs.erm, tmp_path / "t")
    if name == "metrics.jsonl":
        (tmp_path / "t" / "results.json").unlink()
        content = content.replace(b"\n", b"") + b"\n"
    (tmp_path / "t" / name).write_bytes(content)
    status, out, err = passband("status", tmp_path / "t")
    assert (status, out) == (1, "")
    assert name in err
    assert err.count("\n") == 1
    assert len(err) < 500


@pytest.mark.parametrize("command", ["verify", "inspect", "export"])
def test_what_is_for_datasets_says_what_it_was_given(runs, passband, command):
    status, _, err = passband(command, runs.erm)
    assert status == 1
    assert err.count("\n") == 1
    if command == "verify":
        assert "holds a training and no dataset; passband status tells how far it is" in err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("results.json", {"kind": "train"}),
        ("results.json", {"kind": "evaluate", "rows": 7}),
        ("results.json", {"kind": "evaluate", "rows": ["a"]}),
        ("results.json", {"kind": "analyze", "what": "amplitude", "samples": "many", "of": 2}),
        ("results.json", {"kind": "reproduction", "rows": 3}),
        ("results.json", {"kind": "reproduction", "failed": 3}),
        ("results.json", {"kind": "train", "name": ["x"]}),
        ("job.yaml", {"job": {"kind": "train", "epochs": "three"}}),
        ("job.yaml", {"job": {"kind": "train", "steps": [1]}}),
        ("job.yaml", {"job": {"kind": "analyze"}}),
        ("metrics.jsonl", {"step": "4"}),
        ("metrics.jsonl", {"step": 4, "epoch": "x"}),
        ("metrics.jsonl", {"step": 4, "loss": [1]}),
    ],
)
def test_what_no_run_writes_is_one_line_that_names_the_file(passband, tmp_path, name, content):
    (tmp_path / name).write_text(json.dumps(content) + "\n")
    if name == "metrics.jsonl":
        (tmp_path / "job.yaml").write_text(json.dumps({"job": {"kind": "train", "name": "t"}}))
    for words in ([tmp_path], [tmp_path, "--json"]):
        status, out, err = passband("status", *words)
        assert status == 1
        assert name in out + err
        assert (out + err).count("\n") == 1
