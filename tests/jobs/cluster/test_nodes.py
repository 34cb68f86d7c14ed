"""Nodes that join a cluster later: they take work, unless they run other versions."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from tests.jobs.cluster.heads import Head, job_file, late_node, other_version, ray_settings, shards, wait_for


@pytest.mark.slow
@pytest.mark.parametrize("how", ["growing", "waiting"])
def test_a_node_that_joins_late_takes_work(head: Head, tmp_path, how):
    command = [sys.executable, "-m", "tests.jobs.cluster.driver", head.told["gcs_address"], str(tmp_path), how]
    driver = subprocess.Popen(command, env=os.environ | ray_settings(head), stdout=subprocess.PIPE, text=True)
    try:
        early = workers(driver, known=set())
        with late_node(head) as node:
            late = workers(driver, known=early)
            assert late <= {process.pid for process in node.children(recursive=True)}
            later = {int(driver.stdout.readline()) for _ in range(40)}
            assert later == early | late
    finally:
        driver.terminate()
        driver.communicate(timeout=30)


def workers(driver: subprocess.Popen[str], known: set[int]) -> set[int]:
    """Wait until two workers that are not `known` have done a task, and return their pids."""
    found: set[int] = set()
    for _ in range(400):  # tasks of 0.25 s each, two and more at once
        found |= {int(driver.stdout.readline())} - known
        if len(found) == 2:
            return found
    raise AssertionError(f"only {found} came up")


@pytest.mark.slow
def test_a_node_of_other_versions_is_refused_by_name_before_anything_is_written(head: Head, tmp_path):
    with late_node(head, PYTHONPATH=other_version(tmp_path / "site", "numpy")) as node:
        wait_for(lambda: any("DashboardAgent" in process.name() for process in node.children(recursive=True)))
        job = head.submit(job_file(tmp_path, "refused"))
        status, out, _ = head.passband("logs", job, "-f")
    assert status == 1
    last = out.splitlines()[-1]
    assert last.startswith("passband: node ")
    assert " runs numpy 0.0.1 (the driver " in last
    assert last.endswith("): install one version on all")
    assert not (tmp_path / "refused").exists()


@pytest.mark.slow
@pytest.mark.timeout(3600)  # a machine may be busy: what is waited for are states, until the job ends at the latest
def test_workers_that_wait_for_a_node_start_when_it_joins(head: Head, tmp_path):
    """More workers than CPUs: the records tell whose process made each of many small shards."""
    out = tmp_path / "wide"
    job = job_file(
        tmp_path,
        "wide",
        split="train",
        views=["clean", {"prime": {"preset": "cifar"}, "copies": 150}],
        image={"size": 64},
        output={"uri": str(out), "samples_per_shard": 5},
    )
    job = head.submit(job, "--workers", 4)
    wait_while_it_runs(head, job, lambda: shards(out) >= 1)
    with late_node(head) as node:
        wait_while_it_runs(head, job, lambda: len(workers_of(node)) == 2)
        wait_while_it_runs(head, job, lambda: len(makers(out)) == 4)
        assert len(makers(out) & workers_of(node)) == 2
        status, said, _ = head.passband("cancel", job)
        assert (status, said.splitlines()[0]) == (0, f"{job}: stopped")


def wait_while_it_runs(head: Head, job: str, condition: Callable[[], bool]) -> None:
    """Wait for a state that the job must reach before it ends; the clock does not judge."""
    while not condition():
        ended = head.status(job)["state"] not in ("waiting", "running")
        assert condition() or not ended, head.passband("logs", job)
        time.sleep(2)  # to ask takes a process of its own


def workers_of(node: psutil.Process) -> set[int]:
    """Pids of a node's workers that have begun, by their titles."""
    found = set()
    for process in node.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::Worker"):
                found.add(process.pid)
    return found


def makers(output) -> set[int]:
    records = [json.loads(path.read_text()) for path in output.glob("records/[0-9]*.json")]
    return {int(record["worker"].rpartition(":")[2]) for record in records}
