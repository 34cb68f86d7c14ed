"""kill -9 at random moments, of a worker, of the driver, of both: the same command then gives the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from passband.jobs.generation.run import generate
from tests.jobs.generation.made import small_job, stored_bytes

FORMATS = {"formats": ["webdataset", "ffcv"], "samples_per_shard": 60}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("calm")
    generate(small_job(out, split="all", output=FORMATS))
    return stored_bytes(out)


def start(job):
    command = [sys.executable, "-m", "passband", "run", str(job)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def workers_of(driver):
    """Processes that run our actors."""
    found = [child for child in psutil.Process(driver.pid).children(recursive=True) if is_worker(child)]
    return sorted(found, key=lambda child: child.pid)


def is_worker(process):
    try:
        return "".join(process.cmdline()[:1]).startswith("ray::Worker")  # our actor's class; Ray's own agents differ
    except psutil.Error:
        return False


def wait_for_records(out, count, driver):
    end = time.monotonic() + 60
    while len(list(out.glob("records/*.json"))) < count and driver.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "victim",
    [
        pytest.param("both", marks=pytest.mark.slow),
        *(pytest.param(one, marks=pytest.mark.campaign) for one in ("worker", "driver")),
    ],
)
def test_a_kill_costs_nothing(tmp_path, expected, victim):
    out, file = tmp_path / "out", tmp_path / "job.yaml"
    job = small_job(out, split="all", output=FORMATS, compute={"executor": "ray", "workers": 2})
    file.write_text(yaml.safe_dump(job.resolved()))
    moments = random.Random(f"{victim}")
    driver = start(file)
    wait_for_records(out, moments.randint(1, 4), driver)
    time.sleep(moments.random() * 0.3)
    killed = 0
    if victim in ("worker", "both"):
        for worker in workers_of(driver)[:1]:
            worker.send_signal(signal.SIGKILL)
            killed += 1
        assert killed
    if victim in ("driver", "both"):
        os.kill(driver.pid, signal.SIGKILL)
    _, errors = driver.communicate(timeout=120)
    if victim == "worker":
        assert driver.returncode == 0, errors
    else:
        assert driver.returncode == -9
        again = start(file)
        _, errors = again.communicate(timeout=120)
        assert again.returncode == 0, errors
    assert stored_bytes(out) == expected
    assert not list(out.rglob(".passband-*"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_an_inline_run_killed_at_any_moment_resumes(tmp_path, expected, seed):
    out, file = tmp_path / "out", tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(small_job(out, split="all", output=FORMATS).resolved()))
    moments = random.Random(seed)
    driver = start(file)
    time.sleep(1.0 + moments.random() * 2.5)  # from before the plan to after the export
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    again = start(file)
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert stored_bytes(out) == expected
    assert not list(out.rglob(".passband-*"))


@pytest.mark.parametrize(
    ("executor", "number", "status"),
    [
        ("inline", signal.SIGINT, 130),
        pytest.param("threads", signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param("inline", signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param("threads", signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param("ray", signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param("ray", signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_stops_cleanly_and_the_same_command_resumes(tmp_path, expected, executor, number, status):
    out, file = tmp_path / "out", tmp_path / "job.yaml"
    compute = {"executor": executor, "workers": 1 if executor == "inline" else 2}
    file.write_text(yaml.safe_dump(small_job(out, split="all", output=FORMATS, compute=compute).resolved()))
    driver = start(file)
    wait_for_records(out, 1, driver)
    family = psutil.Process(driver.pid).children(recursive=True)
    os.kill(driver.pid, number)
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == status, errors
    assert "the same command resumes" in errors
    assert "Traceback" not in errors
    assert psutil.wait_procs(family, timeout=20)[1] == []
    generate(small_job(out, split="all", output=FORMATS))
    assert stored_bytes(out) == expected
