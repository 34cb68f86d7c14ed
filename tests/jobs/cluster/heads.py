"""Real heads as child processes, and the command called against them. No test imports Ray: it reads settings once."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from PIL import Image

PASSBAND = [sys.executable, "-P", "-m", "passband"]


@dataclass
class Head:
    """A head and the state folder of the user who runs it."""

    state: Path
    process: subprocess.Popen[str]
    told: dict[str, Any]

    @property
    def address(self) -> str:
        return self.told["address"]

    @property
    def token_file(self) -> Path:
        return Path(self.told["token_file"])

    def passband(self, *words: Any, **environment: str) -> tuple[int, str, str]:
        """Call the command as this user: (exit status, stdout, stderr)."""
        return passband(self.state, *words, **environment)

    def submit(self, job: Path, *words: Any, **environment: str) -> str:
        """Submit a job and return its id."""
        status, out, err = self.passband("submit", job, "--address", self.address, "--json", *words, **environment)
        assert (status, err) == (0, "")
        return json.loads(out)["id"]

    def status(self, job_id: str) -> dict[str, Any]:
        status, out, err = self.passband("status", job_id, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def processes(self) -> list[psutil.Process]:
        """The head's processes, and those of the jobs that it runs; not the process of ``cluster up``."""
        return [] if self.process.poll() is not None else psutil.Process(self.process.pid).children(recursive=True)

    def folder(self) -> Path:
        """The head's private folder."""
        (gcs,) = [process for process in alive(self.processes()) if "gcs_server" in process.name()]
        return Path(gcs.environ()["RAY_AUTH_TOKEN_PATH"]).parent


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those processes that still run; one may end between any two questions."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def commands(processes: list[psutil.Process]) -> Iterator[list[str]]:
    """Command lines of those processes that still run."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield process.cmdline()


def passband(state: Path, *words: Any, **environment: str) -> tuple[int, str, str]:
    settings = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"XDG_STATE_HOME": str(state)}
    command = [*PASSBAND, *map(str, words)]
    done = subprocess.run(command, env=settings | environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def running(state: Path, *options: Any, **environment: str) -> Iterator[Head]:
    """``passband cluster up`` until the block ends, or the test ends it; then nothing of it is left."""
    command = [*PASSBAND, "cluster", "up", "--json", "--dashboard-port", "0", "--num-cpus", "2", *map(str, options)]
    settings = os.environ | {"XDG_STATE_HOME": str(state)} | environment
    process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        head = Head(state, process, json.loads(line))
        assert head.told["event"] == "ready", head.told
        folder = head.folder()
        yield head
        left, ended_before = head.processes(), process.poll() is not None
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)
        assert ended_before or (process.returncode, json.loads(said[0])["event"], said[1]) == (0, "stopped", "")
        assert ended_before or not list(state.glob("passband/heads/*"))
        wait_gone(left, folder)
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)


def wait_gone(processes: list[psutil.Process], folder: Path) -> None:
    wait_for(lambda: not alive(processes), 20)
    wait_for(lambda: not folder.exists(), 20)


@contextlib.contextmanager
def late_node(head: Head, **environment: str) -> Iterator[psutil.Process]:
    """A second node on loopback, with two CPUs of its own."""
    command = [sys.executable, "-m", "tests.jobs.cluster.node", head.told["gcs_address"]]
    process = subprocess.Popen(
        command,
        env=os.environ | ray_settings(head) | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        for left in [*psutil.Process(process.pid).children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        process.wait(timeout=10)


def ray_settings(head: Head) -> dict[str, str]:
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(head.token_file),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def without_token(ports: Iterable[int]) -> dict[int, list[str]]:
    """What answers at each port to one who has no token; see `doors`."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    command = [sys.executable, "-m", "tests.jobs.cluster.doors", *map(str, ports)]
    asked = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=300, check=True)
    return {int(port): found for port, found in json.loads(asked.stdout).items()}


def other_version(folder: Path, library: str) -> str:
    """Make a folder in which `library` is installed as version 0.0.1, and return it: a PYTHONPATH."""
    metadata = folder / f"{library}-0.0.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: 0.0.1\n")
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


def job_file(folder: Path, name: str, **changes: Any) -> Path:
    """A job of 355 real digits in shards of 20, or, with ``split="train"``, of 1,437."""
    given = {
        "kind": "generate",
        "name": name,
        "source": {"kind": "digits", "split": changes.pop("split", "test")},
        "image": {"size": 16},
        "views": ["clean", {"radial": {"high": 4}, "name": "low"}],
        "output": {"uri": str(folder / name), "samples_per_shard": 20},
        **changes,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


def wide_job(folder: Path) -> Path:
    """A job of four images of 12,000 named classes: 300 KB of names."""
    names = [f"class number {number} of twelve thousand" for number in range(12_000)]
    with tarfile.open(folder / "images.tar", "w") as tar:
        for number in range(4):
            png = io.BytesIO()
            Image.new("RGB", (16, 16), (60 * number, 90, 30)).save(png, "png")
            for end, content in (("png", png.getvalue()), ("cls", str(3_000 * number).encode())):
                member = tarfile.TarInfo(f"{number}.{end}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    source = {"kind": "webdataset", "path": str(folder / "images.tar"), "classes": names}
    return job_file(folder, "wide", source=source)


def wait_for(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return found


def shards(output: Path) -> int:
    """How many shards of an output are done."""
    return len(list(output.glob("records/[0-9]*.json")))
