"""What is submitted of a job file: the same job, wherever the process that runs it stands."""

import json
import re
from pathlib import Path

import pytest
import yaml

from passband.jobs.analysis.spec import parse_analyze_job
from passband.jobs.cluster.parcel import FILE, VARIABLE, opened, packed
from passband.jobs.cluster.progress import read_progress
from passband.jobs.cluster.records import find_record, is_id
from passband.jobs.cluster.state import ClusterError
from passband.jobs.cluster.submission import KINDS, read_submission
from passband.jobs.common.jobfile import JobError
from passband.jobs.dataset.spec import load_job, parse_job
from passband.jobs.evaluation.spec import parse_evaluate_job
from passband.jobs.generation.run import generate
from passband.jobs.training.spec import parse_train_job
from tests.jobs.cluster.heads import job_file, wide_job

IMAGES = {"source": {"kind": "imagefolder", "path": "pictures"}, "image": {"size": 16}}
GENERATE = {"kind": "generate", "name": "g", "views": ["clean"], "output": {"uri": "out/g"}, **IMAGES}
JOBS = {
    "generate": GENERATE | {"compute": {"executor": "inline"}},
    "analyze": {"kind": "analyze", "name": "a", "surrogate": {"network": "lenet", "checkpoint": "net"}, **IMAGES},
    "train": {
        "kind": "train",
        "name": "t",
        "data": {"job": "g.yaml"},
        "network": {"kind": "lenet"},
        "objective": {"kind": "erm"},
        "epochs": 1,
        "evaluate": {"held-out": {"job": {**GENERATE, "name": "h"}}},
    },
    "evaluate": {
        "kind": "evaluate",
        "name": "e",
        "checkpoint": "net",
        "test": IMAGES,
        "domains": {"other": {"path": "data"}},
        "corruptions": {"published": "CIFAR-10-C"},
        "frequency": {"radii": [4], **IMAGES},
    },
}
PARSE = {
    "generate": parse_job,
    "analyze": parse_analyze_job,
    "train": parse_train_job,
    "evaluate": parse_evaluate_job,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_reads_back_as_itself_with_absolute_paths(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(yaml.safe_dump(GENERATE))
    Path("job.yaml").write_text(yaml.safe_dump({"output": {"uri": "out"}} | JOBS[kind]))
    found = read_submission("job.yaml")
    assert (found.kind, found.name) == (kind, JOBS[kind]["name"])
    assert found.spreads == (kind in ("generate", "analyze"))
    assert found.output.startswith(f"{tmp_path}/out")
    PARSE[kind](found.job)
    places = ("path", "published", "checkpoint", "uri", "datasets")
    paths = [value for key, value in leaves(found.job) if key in places and value]
    assert paths
    assert [path for path in paths if not path.startswith(f"{tmp_path}/") and path != "cache"] == []
    assert is_id(found.new_id())
    assert found.new_id() != found.new_id()


def leaves(value, key=""):
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in leaves(inner, name)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner, key)]
    return [(key, value)]


def test_another_output_and_workers_take_the_place_of_the_files(tmp_path):
    found = read_submission(job_file(tmp_path, "small"), output=str(tmp_path / "other"), workers=3)
    assert (found.output, found.workers, found.words) == (str(tmp_path / "other"), 3, ("run",))


def test_workers_are_refused_for_a_job_of_one_process(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump({"output": {"uri": "out"}} | JOBS["evaluate"]))
    with pytest.raises(JobError, match="--workers 2: a job of kind evaluate runs in one process"):
        read_submission(path, workers=2)


def test_a_kind_that_is_none_is_refused(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("kind: bake")
    with pytest.raises(JobError, match="kind: 'bake' is unknown; allowed: generate, analyze, train, evaluate"):
        read_submission(path)


def test_thousands_of_class_names_travel_in_a_file(tmp_path):
    """An environment variable ends at 128 KiB, and a process given a longer one does not start."""
    found = read_submission(wide_job(tmp_path))
    parcel = packed(found, "wide-1")
    assert len(parcel.content) > 300_000
    assert max(len(f"{name}={value}") for name, value in parcel.environment.items()) < 2_000
    (tmp_path / FILE).write_bytes(parcel.content)
    note = json.loads(parcel.environment[VARIABLE])
    given = opened(note, tmp_path)
    assert given["job"] == json.loads(json.dumps(found.job))
    assert (given["id"], given["words"], given["spreads"]) == ("wide-1", ["run"], True)
    for damaged in (parcel.content[:-1], parcel.content.replace(b"number 7 ", b"number 8 ")):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(ClusterError, match=r"^the submitted job was damaged on its way to the cluster: submit it"):
            opened(note, tmp_path)
    (tmp_path / FILE).unlink()
    with pytest.raises(ClusterError, match="did not reach the cluster: .*submission.json: No such file or directory"):
        opened(note, tmp_path)


def test_a_job_that_is_too_large_to_send_is_told_with_both_sizes(tmp_path, monkeypatch):
    found = read_submission(wide_job(tmp_path))
    assert packed(found, "x").content
    monkeypatch.setattr("passband.jobs.cluster.parcel.MAX_BYTES", 2**18)
    with pytest.raises(ClusterError) as error:
        packed(found, "x")
    assert re.fullmatch(
        r"the job wide takes 0\.\d MB when written out; a submitted one may take 0\.2 MB", str(error.value)
    )


def test_progress_is_read_from_the_output_alone(tmp_path):
    job = load_job(job_file(tmp_path, "small"))
    out = tmp_path / "small"
    assert read_progress("generate", str(out)).spelled() == "not begun"
    generate(job.with_compute(executor="inline"))
    assert read_progress("generate", str(out)).spelled() == "18 of 18 shards"
    assert read_progress("generate", str(out)).state == "finished"
    (out / "records" / "000003.json").unlink()
    assert read_progress("generate", str(out)).spelled() == "17 of 18 shards"
    assert read_progress("generate", str(out)).state == "unfinished"


def test_what_is_no_id_names_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert not is_id("../../etc/passwd")
    assert find_record("../../etc/passwd") is None
    assert find_record("unknown") is None
