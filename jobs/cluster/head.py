"""A cluster of one node on this machine: Ray's head as a child process that asks for a token and listens on loopback.

The head gets a private folder with a copy of the token. Its processes, and the jobs they run, are told by that path:
so a `Janitor` can end them, and nothing else, even if this process is killed.

Every port of it asks for the token, but for what says no more than that it runs: the health checks, the empty page of
the dashboard, and that a token is asked for. Ray's three ports of metrics would answer anybody, and are closed.
"""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from passband.jobs.cluster.heads import noted, running_heads
from passband.jobs.cluster.state import ClusterError
from passband.jobs.cluster.token import make_token, token_settings, without_ray
from passband.jobs.executors.janitor import TOKEN_FILE, Janitor
from passband.jobs.executors.private import private_folder, shared_memory, write_private
from passband.jobs.executors.ray_session import CLOSED

LOOPBACK = "127.0.0.1"
_LOG = "head.log"
_TEMPORARY = "tmp"
_OBJECT_STORE_BYTES = 75 * 2**20  # Ray's minimum: records are small
_START_S = 90.0
_STOP_S = 20.0


@dataclass(frozen=True)
class Head:
    """A head that runs: where jobs are sent to, where nodes join, and its process."""

    address: str
    gcs_address: str
    token_file: Path
    process: "subprocess.Popen[bytes]"
    log: Path

    def ended(self) -> int | None:
        """Return the status of the head's process once it has ended, else None."""
        return self.process.poll()


@contextlib.contextmanager
def running_head(num_cpus: int | None, num_gpus: int | None, port: int, token_file: Path) -> Iterator[Head]:
    """Run a head until the block ends; then none of its processes is left, nor of the jobs that it ran.

    Parameters
    ----------
    num_cpus, num_gpus : int or None
        What the node offers; None is what the machine has.
    port : int
        Of the address that jobs are sent to; 0 is any free one.
    token_file : Path
        Used as it is, or made.

    Raises
    ------
    ClusterError
        If the port is taken, or Ray does not start.
    """
    _refuse_missing_parts()
    port, gcs, client = free_ports(port, 0, 0)
    token = make_token(token_file)
    folder = private_folder()
    janitor = Janitor(folder)
    try:
        write_private(folder / TOKEN_FILE, token.read_text().strip())
        log = folder / _LOG
        process = _start(_arguments(num_cpus, num_gpus, port, gcs, client, folder), folder, log)
        head = Head(f"http://{LOOPBACK}:{port}", f"{LOOPBACK}:{gcs}", token.absolute(), process, log)
        try:
            with noted(head.address, head.gcs_address, head.token_file):
                yield head
        finally:
            _stop(process)
    finally:
        janitor.close()


def wait_ready(head: Head, is_ready: Callable[[], bool], interrupted: Callable[[], bool]) -> bool:
    """Wait until the head takes jobs, and return True; or False as soon as it is `interrupted`.

    Raises
    ------
    ClusterError
        If it ends, or does not get there in time; with the last lines of its log.
    """
    give_up = time.monotonic() + _START_S
    while not interrupted():
        if head.ended() is not None:
            raise ClusterError(f"Ray's head does not start:\n{_last_lines(head.log)}")
        if is_ready():
            return True
        if time.monotonic() > give_up:
            raise ClusterError(f"Ray's head takes no jobs after {_START_S:g} s:\n{_last_lines(head.log)}")
        time.sleep(0.1)
    return False


def _last_lines(log: Path, number: int = 5) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n".join(f"  {line}" for line in lines[-number:]) or "  (it said nothing)"


def _refuse_missing_parts() -> None:
    if importlib.util.find_spec("aiohttp_cors") is None:
        raise ClusterError("Ray's job server is not installed: pip install 'passband[cluster]'")


def _arguments(num_cpus: int | None, num_gpus: int | None, port: int, gcs: int, client: int, folder: Path) -> list[str]:
    """Return Ray's own command. Every port is given, or free: its defaults are fixed ones, and collide."""
    given = {
        "node-ip-address": LOOPBACK,
        "port": gcs,
        "dashboard-host": LOOPBACK,
        "dashboard-port": port,
        "dashboard-agent-listen-port": 0,
        "ray-client-server-port": client,
        "min-worker-port": 0,
        "max-worker-port": 0,
        "object-store-memory": _OBJECT_STORE_BYTES,
        "plasma-directory": shared_memory(folder),
        "temp-dir": folder / "ray",  # Ray opens its folder to everyone; the one above stays ours
        "num-cpus": num_cpus,
        "num-gpus": num_gpus,
    }
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "start"]
    # The monitor, which asks clouds for more nodes, has a port of metrics too.
    return [*command, "--head", "--block", "--disable-usage-stats", "--no-monitor", *options]


def _start(command: list[str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start the head in a session of its own: Ctrl-C is ours to see to."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = without_ray(dict(os.environ)) | token_settings(folder / TOKEN_FILE)
    (folder / _TEMPORARY).mkdir(mode=0o700)
    environment |= CLOSED | {
        "TMPDIR": str(folder / _TEMPORARY),  # Ray's dashboard leaves folders there, even where it ends in good order
        "DASHBOARD_METRIC_PORT": "-1",  # no port: its server of metrics, which has no switch, does not start
        "PATH": programs,  # a job is run by the `python` that is found there
    }
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the head by its pid; it ends what it started."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(*wanted: int) -> list[int]:
    """Return each wanted port if it is free on loopback, and for 0 any free one; no two of them are the same.

    Raises
    ------
    ClusterError
        If a wanted one is taken.
    """
    with contextlib.ExitStack() as held:  # to the end: a port that was let go may be the next free one
        return [_held_port(port, held) for port in wanted]


def _held_port(wanted: int, held: contextlib.ExitStack) -> int:
    probe = held.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a past connection is no server
    try:
        probe.bind((LOOPBACK, wanted))
    except OSError as error:
        raise ClusterError(_taken(wanted)) from error
    port: int = probe.getsockname()[1]
    return port


def _taken(port: int) -> str:
    for note in running_heads():
        if note["address"] == f"http://{LOOPBACK}:{port}":
            return f"a cluster of yours runs at {note['address']} (pid {note['pid']}): use it, or give --dashboard-port"
    return f"port {port} is taken by another program: give --dashboard-port N, or 0 for any free port"
