"""Jobs on a real head: submitted, followed, cancelled, resumed, refused."""

import json
import re
import stat
from pathlib import Path

import pytest
import yaml

from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.run import generate
from tests.jobs.cluster.heads import (
    Head,
    commands,
    job_file,
    other_version,
    running,
    shards,
    wait_for,
    wait_gone,
    wide_job,
)
from tests.jobs.generation.made import stored_bytes


def long_job(folder: Path) -> Path:
    """A job of 89 shards."""
    return job_file(folder, "long", output={"uri": str(folder / "long"), "samples_per_shard": 4})


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bytes that one process makes of the job `long`, and never saw a cluster."""
    folder = tmp_path_factory.mktemp("inline")
    generate(load_job(long_job(folder)).with_compute(executor="inline"))
    return stored_bytes(folder / "long")


@pytest.mark.slow
def test_a_job_whose_head_is_killed_goes_on_on_another(head: Head, tmp_path, expected):
    with running(tmp_path / "own state") as killed:
        lost = killed.submit(long_job(tmp_path))
        wait_for(lambda: shards(tmp_path / "long") >= 2)
        left, folder = killed.processes(), killed.folder()
        assert any("passband.jobs.entry" in command for command in commands(left))
        killed.process.kill()
        killed.process.wait(timeout=10)
        wait_gone(left, folder)
        kept = shards(tmp_path / "long")
        assert 2 <= kept < 89
        found = killed.status(lost)
        assert (found["state"], found["progress"]["done"], found["progress"]["total"]) == ("lost", kept, 89)
        assert found["message"] == f"the cluster at {killed.address} does not answer"
        status, out, _ = killed.passband("status", lost)
        assert (status, f"progress  {kept} of 89 shards" in out.splitlines()) == (0, True)
        assert max(map(len, out.replace(str(tmp_path), "").splitlines())) <= 60
        status, _, err = killed.passband("logs", lost)
        assert (status, err) == (1, f"passband: no cluster answers at {killed.address}\n")
    own = {"XDG_STATE_HOME": str(tmp_path / "own state")}
    token = ("--token-file", head.token_file)
    again = head.submit(tmp_path / "long" / "job.yaml", *token, **own)  # no number of workers: the whole cluster
    status, out, _ = head.passband("logs", again, "--follow", **own)
    assert status == 0
    assert f"in 89 shards, {kept} done before" in out
    assert stored_bytes(tmp_path / "long") == expected
    assert killed.status(lost)["state"] == "lost"  # though its output is finished: another job did that


@pytest.mark.slow
def test_two_at_once_of_which_one_is_cancelled(head: Head, tmp_path):
    views = ["clean", {"prime": {"preset": "cifar"}, "copies": 8}]
    long = job_file(tmp_path, "long", split="train", views=views, image={"size": 160})
    short = job_file(tmp_path, "short")
    one = head.submit(long, "--workers", 1)
    two = head.submit(short, "--workers", 1)
    assert re.fullmatch(r"long-\d{8}-\d{6}-[0-9a-f]{4}", one)
    status, _, err = head.passband("submit", long)
    assert status == 1
    assert re.fullmatch(
        rf"passband: {tmp_path}/long: the job {one} is (waiting|running) and makes this output; "
        rf"wait for it, or passband cancel {one}\n",
        err,
    )
    wait_for(lambda: shards(tmp_path / "long") >= 2)
    status, out, err = head.passband("cancel", one)
    kept = shards(tmp_path / "long")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{one}: stopped",
        f"kept      {kept} of 73 shards in {tmp_path}/long",
        "submit the same job again to resume it",
    ]
    assert 2 <= kept < 73
    assert json.loads((head.state / "passband" / "jobs" / f"{one}.json").read_text())["ended"] == "stopped"
    status, out, _ = head.passband("logs", two, "-f")  # the other one was not touched
    assert status == 0
    assert f"{tmp_path}/short: 355 samples x 2 views" in out
    check_list(head, two, one)


def check_list(head: Head, done: str, stopped: str) -> None:
    status, out, err = head.passband("jobs", "--json")
    assert (status, err) == (0, "")
    rows = [row for row in json.loads(out) if row["id"] in (done, stopped)]
    assert [(row["id"], row["state"], row["progress"]["state"]) for row in rows] == [
        (done, "done", "finished"),
        (stopped, "stopped", "unfinished"),
    ]
    token = head.token_file.read_text()
    for job in (done, stopped):
        record = head.state / "passband" / "jobs" / f"{job}.json"
        assert stat.S_IMODE(record.stat().st_mode) == 0o600
        assert token not in record.read_text()
    _, out, _ = head.passband("jobs")
    assert max(map(len, out.splitlines())) <= 60


@pytest.mark.slow
def test_a_job_of_thousands_of_class_names_runs(head: Head, tmp_path):
    job = head.submit(wide_job(tmp_path), "--workers", 1)
    status, out, _ = head.passband("logs", job, "-f")
    assert status == 0, out
    assert f"{tmp_path}/wide: 4 samples x 2 views" in out
    made = stored_bytes(tmp_path / "wide")
    other = tmp_path / "inline"
    generate(load_job(tmp_path / "wide.yaml").with_output(str(other)).with_compute(executor="inline"))
    assert made == stored_bytes(other)


@pytest.mark.slow
def test_a_job_that_cannot_start_says_why(head: Head, tmp_path):
    place = head.folder() / "ray" / "session_latest" / "runtime_resources" / "working_dir_files"
    wait_for(place.is_dir)  # it comes up late
    place.rename(place.with_name("aside"))
    place.touch()  # a full disk, say: what was sent cannot be unpacked
    try:
        job = head.submit(job_file(tmp_path, "blocked"))
        status, out, err = head.passband("logs", job, "-f")
    finally:
        place.unlink()
        place.with_name("aside").rename(place)
    assert status == 1
    assert err.startswith("the job did not start: the cluster could not unpack its file (")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    found = head.status(job)
    assert found["state"] == "failed"
    assert f"the job {found['message']}\n" == err
    status, out, _ = head.passband("status", job)
    assert status == 0
    assert "failed    did not start: the cluster could not unpack its" in out.splitlines()
    assert not (tmp_path / "blocked").exists()


@pytest.mark.slow
def test_a_job_that_waits_for_a_place_says_so(head: Head, tmp_path):
    job = head.submit(job_file(tmp_path, "waiting"), "--num-cpus", 64)
    told = "has not started yet; it may wait for the CPUs or GPUs that it reserves"
    assert head.status(job)["message"] == told
    status, out, err = head.passband("logs", job)
    assert (status, out, err) == (0, "", f"the job {told}\n")
    status, out, _ = head.passband("cancel", job)
    asked = f"{job}: was asked to stop and is still waiting; the cluster ends it when it gets its place\n"
    assert (status, out) == (1, asked)


def test_another_clusters_token_is_told_in_one_line(head: Head, tmp_path):
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("0" * 64)
    job = job_file(tmp_path, "refused")
    status, out, err = head.passband("submit", job, "--address", head.address, "--token-file", token)
    assert (status, out) == (1, "")
    assert err == f"passband: the cluster at {head.address} refuses the token in {token}: it is another cluster's\n"
    assert not (tmp_path / "refused").exists()


@pytest.mark.slow
def test_a_client_of_another_passband_is_refused_before_anything_is_written(head: Head, tmp_path):
    paths = other_version(tmp_path / "site", "passband")
    job = head.submit(job_file(tmp_path, "refused"), PYTHONPATH=paths)
    status, out, _ = head.passband("logs", job, "-f")
    assert status == 1
    assert re.search(r"passband: submitted by passband 0\.0\.1\+\w{12} \(the cluster \S+\+\w{12}\): install one", out)
    assert not (tmp_path / "refused").exists()
    found = head.status(job)
    assert (found["state"], found["progress"]["state"]) == ("failed", "not begun")
    status, _, err = head.passband("submit", job_file(tmp_path, "other"), "--id", job)
    assert (status, err) == (
        1,
        f"passband: the cluster at {head.address} has a job {job} already: choose another --id\n",
    )


def test_a_client_of_another_ray_is_refused_at_once(head: Head, tmp_path):
    paths = other_version(tmp_path / "site", "ray")
    status, out, err = head.passband("submit", job_file(tmp_path, "refused"), PYTHONPATH=paths)
    assert (status, out) == (1, "")
    assert re.fullmatch(
        rf"passband: the cluster at {head.address} runs ray [\d.]+ \(here 0\.0\.1\): install one on both sides\n", err
    )


def test_a_bad_job_is_refused_as_run_refuses_it(head: Head, tmp_path, passband):
    job = job_file(tmp_path, "bad", image={"size": 16, "colour": "grey"})
    assert passband("run", job)[::2] == head.passband("submit", job)[::2]


@pytest.mark.slow
def test_jobs_of_the_other_kinds_run_too(head: Head, tmp_path):
    images = {"source": {"kind": "digits", "split": "test"}, "image": {"size": 16}}
    network, jobs = str(tmp_path / "train"), {}
    jobs["train"] = {"data": {"job": str(job_file(tmp_path, "small"))}, "objective": {"kind": "erm"}, "epochs": 2}
    jobs["train"] |= {"network": {"kind": "lenet"}}
    jobs["evaluate"] = {"checkpoint": network, "test": images}
    jobs["analyze"] = {"surrogate": {"network": "lenet", "checkpoint": network}, "maps": ["original"], "subset": 10}
    jobs["analyze"] |= images
    units = {"train": "2 of 2 epochs", "evaluate": "1 views", "analyze": "1 of 1 blocks"}
    for kind, job in jobs.items():
        places = {"output": {"uri": str(tmp_path / kind)}}
        places |= {} if kind == "analyze" else {"datasets": str(tmp_path / "datasets")}
        path = tmp_path / f"{kind}.yaml"
        path.write_text(yaml.safe_dump({"kind": kind, "name": kind} | job | places))
        status, out, _ = head.passband("submit", path, "--follow")
        assert status == 0, out
        status, out, _ = head.passband("status", out.splitlines()[0])
        assert (status, f"progress  {units[kind]}" in out.splitlines()) == (0, True), out
