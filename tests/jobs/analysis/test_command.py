import json
import subprocess
import sys
import time

import pytest
import yaml

from passband.pipeline.seals import read_sealed
from passband.pipeline.store import LocalStore
from tests.jobs.analysis.conftest import job_of


@pytest.fixture
def job_file(tmp_path, checkpoint):
    """A job file that writes to a place of short name, as seen from the test's folder."""
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job_of("out", checkpoint).resolved()))
    return path


def test_sensitivity_from_file_to_table(passband, job_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    status, out, err = passband("analyze", "sensitivity", job_file)
    assert status == 0
    assert "small: 260 frequencies of original and enhanced, 40 images each" in err
    assert "ETA" in err
    assert max(map(len, out.splitlines())) <= 60
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    for summary in results["maps"]:
        row = next(line.split() for line in out.splitlines() if line.startswith(summary["name"]))
        numbers = [summary["mean_l1"], summary["standard_error"], summary["largest"]]
        assert row[1:] == [f"{number:.4f}" for number in numbers]
    assert "40 of 355" in out
    assert "of it the model" in out
    again = passband("analyze", "sensitivity", tmp_path / "out" / "job.yaml")
    assert again[0] == 0
    assert again[1].splitlines()[:-1] == out.splitlines()[:-1]  # the last one names the folder as it was given


def test_amplitude_from_file_to_table(passband, job_file, tmp_path):
    status, out, _ = passband("analyze", "amplitude", job_file, "--output", tmp_path / "amplitude")
    assert status == 0
    assert out.splitlines()[1].startswith("amplitude ")
    assert "355 of 355" in out
    assert (tmp_path / "amplitude" / "amplitude.png").exists()


def test_json_lines(passband, job_file, tmp_path):
    status, out, _ = passband("analyze", "sensitivity", job_file, "--json", "--output", tmp_path / "out")
    events = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [event["event"] for event in events] == [
        "planning",
        "note",  # that no hash lies beside the weights
        "step",
        "started",
        *["progress"] * 6,
        "finished",
    ]
    assert events[-2]["done"] == events[-2]["frequencies"] == 260
    assert events[-1]["results"] == read_sealed(LocalStore(tmp_path / "out"), "results.json")


def test_plan_writes_nothing(passband, job_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("passband.jobs.analysis.probe._PROBE_S", 0.1)
    status, out, _ = passband("analyze", "sensitivity", job_file, "--plan")
    assert status == 0
    assert not (tmp_path / "out").exists()
    assert "frequencies  260" in out
    assert "parts        original, enhanced" in out
    assert "326 of 32 images" in out  # 2 maps x ceil(130 x 40 / 32)
    assert max(map(len, out.splitlines())) <= 60
    found = json.loads(passband("analyze", "sensitivity", job_file, "--plan", "--json")[1])
    assert (found["frequencies"], found["passes"], found["samples"]) == (260, 326, 40)
    assert found["seconds"] > 0
    assert 0 < found["model_share"] <= 1


def test_a_mistake_is_one_message(passband, job_file, tmp_path):
    given = yaml.safe_load(job_file.read_text()) | {"subset": 3}
    job_file.write_text(yaml.safe_dump(given))
    status, out, err = passband("analyze", "sensitivity", job_file, "--output", tmp_path / "out")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("passband: subset is 3: the source has 10 classes")
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_killed_run_goes_on(job_file, passband, tmp_path, checkpoint):
    given = yaml.safe_load(job_file.read_text())
    job_file.write_text(yaml.safe_dump(given | {"compute": {"executor": "inline", "block": 5}}))
    command = [sys.executable, "-m", "passband", "analyze", "sensitivity", str(job_file), "--output"]
    with subprocess.Popen([*command, str(tmp_path / "out")], stderr=subprocess.DEVNULL) as child:
        while len(list((tmp_path / "out" / "blocks").glob("original-*.json"))) < 3:
            assert child.poll() is None
            time.sleep(0.005)
        child.kill()
    kept = {path: path.read_bytes() for path in (tmp_path / "out" / "blocks").glob("*-*.json")}
    assert not (tmp_path / "out" / "results.json").exists()
    for folder in ("out", "whole"):
        assert passband("analyze", "sensitivity", job_file, "--output", tmp_path / folder)[0] == 0
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert (tmp_path / "out" / "maps.npz").read_bytes() == (tmp_path / "whole" / "maps.npz").read_bytes()
