"""What is told of a job: why it did not start, and how it ended, whoever finishes its output later."""

import json
from dataclasses import replace

import pytest

from passband.jobs.cluster.client import ClusterJob
from passband.jobs.cluster.failure import told_beside_log, why_failed, why_waiting
from passband.jobs.cluster.records import Record, find_record
from passband.jobs.cluster.spelling import spell_cancelled, spell_job
from passband.jobs.cluster.tracking import Clusters, Tracked, track
from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.run import generate
from tests.jobs.cluster.heads import job_file

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A job whose cluster is gone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("0" * 64)
    made = Record("small-1", "generate", "small", str(tmp_path / "small"), NOBODY, str(token), 1e9)
    made.write()
    return made


@pytest.mark.parametrize(("seen", "state"), [(None, "done"), ("stopped", "stopped"), ("failed", "failed")])
def test_how_a_job_ended_stays_when_another_run_finishes_its_output(record, tmp_path, seen, state):
    if seen:
        record.note_end(seen)
    generate(load_job(job_file(tmp_path, "small")).with_compute(executor="inline"))
    found = track(find_record("small-1"), Clusters())
    assert (found.state, found.progress.state) == (state, "finished")
    last = spell_job(found).splitlines()[-1]
    assert (last == "its output is finished: another run did the rest") == (seen is not None)


def test_the_end_of_a_job_that_was_not_submitted_from_here_leaves_no_record(record):
    replace(record, id="elsewhere-1").note_end("done")
    assert find_record("elsewhere-1") is None


def test_a_record_of_another_version_is_read_as_far_as_it_is_known(record, tmp_path):
    path = tmp_path / "state" / "passband" / "jobs" / "small-1.json"
    given = json.loads(path.read_text())
    del given["ended"]  # as it was written before
    path.write_text(json.dumps(given | {"invented": 1}))
    assert find_record("small-1") == record


TRACE = (
    'Traceback (most recent call last): File "/x/job_supervisor.py", line 380, in run child = self._exec(env) '
    'File "/x/subprocess.py", line 1955, in _execute_child raise child_exception_type(errno_num, err_msg) '
    "OSError: [Errno 7] Argument list too long: '/bin/sh'"
)
SETUP = (
    "runtime_env setup failed: Failed to set up runtime environment. Could not create the actor because its associated "
    'runtime env failed to be created. Traceback (most recent call last): File "/x/agent.py", line 9, in do await it '
    "OSError: Failed to download runtime_env file package gcs://_ray_pkg_1.zip from the GCS to the Ray worker node."
)
FAILURES = [
    ("JOB_ENTRYPOINT_COMMAND_START_ERROR", TRACE, None,
     "did not start: its command could not be run (OSError: [Errno 7] Argument list too long: '/bin/sh')"),
    ("RUNTIME_ENV_SETUP_FAILURE", SETUP, None,
     "did not start: the cluster could not unpack its file (OSError: Failed to download runtime_env file package "
     "gcs://_ray_pkg_1.zip from the GCS to the Ray worker node.)"),
    ("JOB_SUPERVISOR_ACTOR_START_TIMEOUT", "Job supervisor actor failed to start within 900.0 seconds.", None,
     "did not start in time: no node had room for its own process"),
    ("JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", "Job supervisor actor could not be scheduled: it", None,
     "did not start: no node can hold its own process (Job supervisor actor could not be scheduled: it)"),
    ("JOB_SUPERVISOR_ACTOR_DIED", "Job supervisor actor died: The actor died.", None,
     "broke off: its node, or what watched over it there, ended (Job supervisor actor died: The actor died.)"),
    ("JOB_ENTRYPOINT_COMMAND_ERROR", "Job entrypoint command failed with exit code 1", 1,
     "ended with status 1; its log says why"),
    ("JOB_ENTRYPOINT_COMMAND_ERROR", "Job entrypoint command failed with exit code -9", -9,
     "was killed, perhaps as its node ran out of memory"),
    ("JOB_ENTRYPOINT_COMMAND_ERROR", "Job entrypoint command failed with exit code 143", 143,
     "was ended by signal 15"),
    (None, "Job failed.", None, "failed: Job failed."),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "status", "told"), FAILURES)
def test_why_a_job_failed_is_said_in_our_words(record, error, message, status, told):
    job = ClusterJob("small-1", "failed", message, status, {}, None, error)
    assert why_failed(job) == told
    assert told_beside_log(job) == (None if status == 1 else told)
    found = Tracked(record, "failed", job, None, None, "cannot be read")
    assert found.as_json()["message"] == told
    lines = spell_job(found).splitlines()
    assert max(map(len, lines[5:])) <= 60
    assert lines[5].startswith("failed    ")
    assert " ".join(line[10:] for line in lines[5:-1]) == f"{told} passband logs small-1"


def test_what_a_job_waits_for_is_said():
    waiting = ClusterJob(
        "x", "waiting", "Job has not started yet. It may be waiting for resources (CPUs", None, {}, None
    )
    assert why_waiting(waiting) == "has not started yet; it may wait for the CPUs or GPUs that it reserves"
    assert why_waiting(replace(waiting, message="Job has not started yet.")) == "has not started yet"
    for state in ("running", "done", "stopped"):
        other = replace(waiting, state=state)
        assert (why_waiting(other), why_failed(other)) == (None, None)


def test_a_cancelled_job_whose_output_is_finished_is_not_to_be_submitted_again(record, tmp_path):
    generate(load_job(job_file(tmp_path, "small")).with_compute(executor="inline"))
    record.note_end("stopped")
    found = track(find_record("small-1"), Clusters())
    assert spell_cancelled(found, "running").splitlines() == [
        "small-1: stopped",
        f"kept      18 of 18 shards in {tmp_path}/small",
        "its output is finished: another run did the rest",
    ]
