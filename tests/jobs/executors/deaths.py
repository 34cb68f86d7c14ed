"""Runs of the command that lose processes: which are killed, when, and what the user sees of it."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROLES = {
    "gcs": lambda words: words[0].endswith("/gcs_server"),
    "raylet": lambda words: words[0].endswith("/raylet"),
    "agent": lambda words: _is(words, "ray::DashboardAgent", "dashboard/agent.py"),
    "environments": lambda words: _is(words, "ray::RuntimeEnvAgent", "runtime_env/agent/main.py"),
    "worker": lambda words: words[0].startswith("ray::") and not words[0].endswith("Agent"),
}
"""The driver is not among them: it is the command itself."""
PHASES = ("start", "middle", "end")


@dataclass(frozen=True)
class Death:
    """What came of a run some of whose processes were killed.

    Attributes
    ----------
    killed : how many were
    seconds : from then to the end of the command
    left : what remained in the folder of temporary files
    """

    killed: int
    status: int
    out: str
    err: str
    seconds: float
    left: list[str]


def command(job: Path, workers: int = 2) -> list[str]:
    words = [sys.executable, "-P", "-m", "passband", "run", str(job), "--executor", "ray"]
    return [*words, "--workers", str(workers)]


def killed_run(job: Path, output: Path, shards: int, roles: Sequence[str], phase: str, temporary: Path) -> Death:
    """Run a job of so many shards, kill a process of each role, or the driver, and wait for the end.

    Parameters
    ----------
    phase : ``start`` is as soon as all of them are there, give or take; ``middle`` once shards are made; ``end`` when
        almost all are
    temporary : an empty folder with a short path: Ray's sockets lie below it
    """
    chance = random.Random(f"{'+'.join(roles)} {phase}")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = os.environ | {"TMPDIR": str(temporary)}
    run = subprocess.Popen(command(job), env=environment, text=True, start_new_session=True, **pipes)
    try:
        targets = _targets(run, output, {"start": 0, "middle": 3, "end": shards - 2}[phase], roles)
        if phase == "start":
            time.sleep(chance.random() / 2)
        began = time.monotonic()
        for target in targets:
            with contextlib.suppress(psutil.NoSuchProcess):
                target.send_signal(signal.SIGKILL)
        out, err = run.communicate(timeout=900)
    finally:
        run.kill()
    ended = time.monotonic()
    while left := [path.name for path in temporary.iterdir()]:
        if time.monotonic() - ended > 30:
            break
        time.sleep(0.1)
    return Death(len(targets), run.returncode, out, err, ended - began, left)


def _targets(run: subprocess.Popen[str], output: Path, done: int, roles: Sequence[str]) -> list[psutil.Process]:
    """Wait until so many shards are done and there is a process of each role, or the run has ended."""
    while run.poll() is None:
        found = [process for role in roles for process in _first(run, role)]
        if len(found) == len(roles) and len(list(output.glob("records/[0-9]*.json"))) >= done:
            return found
        time.sleep(0.005)
    return []


def _first(run: subprocess.Popen[str], role: str) -> list[psutil.Process]:
    driver = psutil.Process(run.pid)
    if role == "driver":
        started = any(_has(process, "gcs") for process in driver.children())
        return [driver] if started else []
    return [process for process in driver.children(recursive=True) if _has(process, role)][:1]


def _has(process: psutil.Process, role: str) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        words = process.cmdline()
        return bool(words) and ROLES[role](words)
    return False


def _is(words: list[str], title: str, script: str) -> bool:
    """Whether a process has that title, or, before it gives itself one, runs that script; the raylet only names it."""
    return words[0] == title or ("python" in words[0] and any(word.endswith(script) for word in words[:4]))
