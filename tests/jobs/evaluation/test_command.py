import json
import os
import subprocess
import sys

import pytest
import yaml

from passband.pipeline.seals import read_sealed
from passband.pipeline.store import LocalStore
from tests.jobs.evaluation.conftest import only


@pytest.fixture
def job_file(tmp_path, checkpoint, digits):
    path = tmp_path / "job.yaml"
    given = {
        "kind": "evaluate",
        "name": "trial",
        "checkpoint": checkpoint(only(3)),
        "test": {"path": str(digits)},
        "domains": {"filtered": {"path": str(digits), "view": "low-4"}},
        "corruptions": {
            "source": {"kind": "digits", "split": "test"},
            "image": {"size": 16},
            "types": ["elastic_transform", "jpeg_compression"],
        },
        "frequency": {"source": {"kind": "digits", "split": "test"}, "image": {"size": 16}, "radii": [4]},
        "groups": True,
        "output": {"uri": str(tmp_path / "out")},
        "datasets": str(tmp_path / "datasets"),
    }
    path.write_text(yaml.safe_dump(given))
    return path


def passband(*words):
    environment = os.environ | {"COLUMNS": "60"}
    command = [sys.executable, "-m", "passband", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)


@pytest.mark.slow
def test_evaluate_fits_60_columns_and_resumes_for_machines(job_file, tmp_path):
    shown = passband("evaluate", job_file)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert max(map(len, lines[:-1])) <= 60
    for name in ("test", "domain filtered", "group 0", "elastic_transform", "radius", "mean error over corruptions"):
        assert any(line.startswith(name) for line in lines), name
    assert lines[-1] == f"look at {tmp_path / 'out'}/report.html"
    row = next(line for line in lines if line.startswith("jpeg_compression"))
    results = read_sealed(LocalStore(tmp_path / "out"), "results.json")
    accuracy = {row["condition"]: row["accuracy"] for row in results["rows"]}
    assert row.split()[1:6] == [f"{100 * accuracy[f'jpeg_compression-{severity}']:.1f}" for severity in range(1, 6)]
    assert "evaluating" in shown.stderr

    again = passband("evaluate", job_file, "--json")
    assert (again.returncode, again.stderr) == (0, "")
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert {event["event"] for event in events} == {"note", "dataset", "predicting", "finished"}
    assert not any(event["event"] == "dataset" and event["of"]["event"] == "progress" for event in events)
    assert events[-1]["results"] == results


def test_a_bad_job_is_told_without_a_traceback(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("kind: evaluate\nname: x\ncheckpoint: c\ntest: {path: p, job: j}\noutput: {uri: o}\n")
    said = passband("evaluate", path)
    assert (said.returncode, said.stdout) == (1, "")
    assert "test: a dataset needs one of path, job, or source with image" in said.stderr
    assert "Traceback" not in said.stderr
