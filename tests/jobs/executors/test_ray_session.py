import ipaddress
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from passband.jobs.executors.base import ExecutorError
from passband.jobs.executors.janitor import TOKEN_VARIABLE, processes_of
from passband.jobs.executors.ray_session import connect, local_ray
from tests.jobs.cluster.heads import alive, without_token
from tests.jobs.executors.faulty import invocations


@dataclass
class Driver:
    process: subprocess.Popen
    others: list[psutil.Process]
    folder: Path

    def left(self) -> list[psutil.Process]:
        return alive(self.others)

    def wait_gone(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.left() or self.folder.exists():
            assert time.monotonic() < end, (self.left(), self.folder.exists())
            time.sleep(0.1)

    def server(self, name: str) -> psutil.Process:
        (found,) = [p for p in self.others if p.cmdline()[0].endswith(f"/{name}")]
        return found


@contextmanager
def driver(log: Path) -> Iterator[Driver]:
    """A driver whose two workers hang in a task each; nothing of it is left in the end."""
    log.mkdir()
    command = [sys.executable, "-m", "tests.jobs.executors.driver", str(log)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    others: list[psutil.Process] = []
    try:
        end = time.monotonic() + 60
        while len(invocations(log)) < 2:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < end, "the driver's workers do not come up"
            time.sleep(0.05)
        others = psutil.Process(process.pid).children(recursive=True)
        tokens = {p.environ().get(TOKEN_VARIABLE) for p in others} - {None}
        assert len(tokens) == 1
        yield Driver(process, others, Path(tokens.pop()).parent)
    finally:
        process.kill()
        process.communicate()
        for left in others:
            with suppress(psutil.NoSuchProcess):
                left.kill()


@pytest.fixture(scope="module")
def folder(ray_session) -> Path:
    """The private folder of the test run's own session."""
    for child in psutil.Process().children(recursive=True):
        if token := child.environ().get(TOKEN_VARIABLE):
            return Path(token).parent
    raise AssertionError("no process of the session carries its token's path")


@pytest.mark.slow  # of the head of a cluster, the same is a quick one
def test_a_session_listens_on_loopback_only_and_every_port_asks_for_the_token(tmp_path: Path):
    """One of its own: to that of the test run tests add nodes in ways that we do not, which have other ports."""
    with driver(tmp_path / "log") as session:
        own = set(processes_of(str(session.folder)))
        processes = [p.info for p in psutil.process_iter(["pid", "name", "net_connections"]) if p.pid in own]
        assert {"gcs_server", "raylet", "ray"} <= {
            p["name"].split(":")[0] for p in processes
        }  # ray::Agent, ray::Worker
        listening = [c for p in processes for c in p["net_connections"] if c.status == psutil.CONN_LISTEN]
        assert len(listening) >= 2
        for connection in listening:
            address = ipaddress.ip_address(connection.laddr.ip)
            mapped = getattr(address, "ipv4_mapped", None)
            assert (mapped or address).is_loopback, connection
        answering = without_token({connection.laddr.port for connection in listening})
        healthy = {"/api/healthz", "/api/local_raylet_healthz"}
        assert {port: found for port, found in answering.items() if not set(found) <= healthy} == {}


def test_the_token_is_private_and_stays_out_of_logs_and_of_our_environment(folder: Path):
    token = folder / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert TOKEN_VARIABLE not in os.environ
    secret = token.read_bytes()
    assert len(secret) == 64
    logs = [path for path in folder.rglob("*") if path.is_file() and path != token]
    assert len(logs) > 5
    assert not [path for path in logs if secret in path.read_bytes()]


@pytest.mark.parametrize(("token", "enters"), [(None, False), ("0" * 64, False), ("right", True)])
def test_only_a_client_with_the_token_gets_in(folder: Path, tmp_path: Path, token: str | None, enters: bool):
    import ray

    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"HOME": str(tmp_path)}
    if token is not None:
        path = folder / "token" if enters else tmp_path / "token"
        if not enters:
            path.write_text(token)
        environment |= {"RAY_AUTH_MODE": "token", TOKEN_VARIABLE: str(path)}
    script = "import sys; from ray._raylet import GcsClient; print(GcsClient(address=sys.argv[1]).cluster_id)"
    script += "; GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5); print('IN')"
    command = [sys.executable, "-c", script, ray.get_runtime_context().gcs_address]
    client = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (client.returncode == 0) == enters, client.stderr
    assert ("IN" in client.stdout.split()) == enters
    assert enters or "token" in client.stderr


def test_a_second_session_in_one_process_is_refused_and_leaves_the_first_alone(ray_session):
    import ray

    with pytest.raises(ExecutorError, match="has a Ray session already"), local_ray(1):
        pass
    with pytest.raises(ExecutorError, match="has a Ray session already"), connect("auto"):
        pass
    assert ray.is_initialized()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:10001", "local", "localhost", "", "host:70000"])
def test_addresses_that_are_no_cluster_are_refused(address: str):
    with pytest.raises(ExecutorError, match=f"no Ray answers at '{address}'"), connect(address):
        pass


def test_importing_executors_is_light_and_a_late_local_ray_is_refused():
    modules = "jobs.executors.base, jobs.executors.inline, jobs.executors.ray, jobs.executors.ray_session"
    assert run_python(f"import sys, {modules}; print({{'ray', 'numpy', 'numba'}} & set(sys.modules))") == "set()\n"
    late = "import ray; from passband.jobs.executors.ray_session import local_ray\ntry:\n  local_ray(1).__enter__()\n"
    assert "imported before" in run_python(late + "except Exception as error: print(error)")


def test_a_cluster_that_is_connected_to_stays(folder: Path, tmp_path: Path):
    import ray

    settings = {"RAY_AUTH_MODE": "token", TOKEN_VARIABLE: str(folder / "token")}
    settings |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    script = f"""
from pathlib import Path
from passband.jobs.executors.ray import RayExecutor
from passband.jobs.executors.ray_session import connect
from tests.jobs.executors.faulty import FaultyTask
with connect({ray.get_runtime_context().gcs_address!r}):
    print([o.record for o in RayExecutor(1).run(FaultyTask(i, Path({str(tmp_path)!r})) for i in range(3))])
"""
    assert run_python(script, settings) == "[0, 1, 4]\n"
    assert any(node["Alive"] for node in ray.nodes())


@pytest.mark.slow
def test_a_worker_that_ray_kills_for_memory_is_told_as_that(tmp_path: Path):
    script = f"""
from pathlib import Path
from passband.jobs.executors.base import ExecutorError, Retries
from passband.jobs.executors.ray import RayExecutor
from passband.jobs.executors.ray_session import local_ray
from tests.jobs.executors.faulty import FaultyTask
try:
    with local_ray(1):
        once = RayExecutor(1, retries=Retries(max_attempts=1))  # where it is killed again, that is another outcome
        (outcome,) = once.run([FaultyTask(0, Path({str(tmp_path)!r}), seconds=60)])
        print(outcome.error)
except ExecutorError as error:
    print(error)
"""
    # As if the machine were full, of which Ray then is the judge.
    settings = {"RAY_memory_usage_threshold": "0.0001", "RAY_memory_monitor_refresh_ms": "100"}
    for _ in range(3):  # with so little memory it may kill what it needs itself, which is another sentence
        said = run_python(script, settings)  # before its first task or at one
        if not said.startswith("Ray "):
            break
    assert said.count("\n") == 1
    assert (
        "the machine ran low on memory, and Ray killed the worker; "
        "fewer workers (--workers) or smaller batches (compute.batch_size) need less"
    ) in said


MOUNTS = {
    "read-only": "mount --bind /dev/shm /dev/shm && mount -o remount,bind,ro /dev/shm",
    "tiny": "mount -t tmpfs -o size=64k tmpfs /dev/shm",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["tiny", "read-only"])
def test_it_works_where_shared_memory_is_of_no_use(tmp_path: Path, how: str):
    apart = ["unshare", "--mount", "sh", "-c", f'{MOUNTS[how]} && exec "$@"', "sh"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("only who may mount can make /dev/shm read-only or tiny")
    script = f"""
import os
from pathlib import Path
from passband.jobs.executors.ray import RayExecutor
from passband.jobs.executors.ray_session import local_ray
from tests.jobs.executors.faulty import FaultyTask
try:
    Path("/dev/shm/passband-probe").write_bytes(bytes(2**20))
except OSError as error:
    print(os.strerror(error.errno))
with local_ray(1):
    print([outcome.record for outcome in RayExecutor(1).run(FaultyTask(i, Path({str(tmp_path)!r})) for i in range(3))])
"""
    command = [*apart, sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    reason = {"read-only": "Read-only file system", "tiny": "No space left on device"}[how]
    assert (done.stdout.splitlines(), done.stderr) == ([reason, "[0, 1, 4]"], "")


def run_python(script: str, settings: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-W", "error", "-c", script]
    environment = os.environ | (settings or {})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stop(process: subprocess.Popen, number: int) -> None:
    os.killpg(process.pid, number)  # as a terminal does: to the driver and to all that share its group


STOPS: dict[str, tuple[Callable[[subprocess.Popen], None], int]] = {
    "kill -9": (lambda process: process.kill(), -signal.SIGKILL),
    "SIGTERM": (lambda process: process.terminate(), 1),
    "Ctrl-C": (lambda process: stop(process, signal.SIGINT), 130),
}


@pytest.mark.parametrize(
    "how", ["kill -9", *(pytest.param(how, marks=pytest.mark.slow) for how in ("SIGTERM", "Ctrl-C"))]
)
def test_nothing_outlives_the_driver(tmp_path: Path, how: str):
    end, code = STOPS[how]
    with driver(tmp_path / "log") as running:
        assert len(running.left()) >= 6  # janitor, GCS, raylet, an agent, two workers
        end(running.process)
        assert running.process.wait(timeout=15) == code
        running.wait_gone(15)
        assert running.process.stdout.read() == ("interrupted\n" if how == "Ctrl-C" else "")


@pytest.mark.slow
def test_a_lost_cluster_ends_the_run_with_one_sentence(tmp_path: Path):
    with driver(tmp_path / "raylet") as first, driver(tmp_path / "gcs") as second:
        first.server("raylet").kill()
        second.server("gcs_server").kill()
        again = "run it again: what is finished is kept"
        for lost, message in (first, f"has no live node; {again}\n"), (second, f"is gone; {again}\n"):
            assert lost.process.wait(timeout=60) == 3
            output = lost.process.stdout.read()
            assert output.startswith("the Ray cluster at 127.0.0.1:")
            assert output.endswith(message)
            lost.wait_gone(10)
