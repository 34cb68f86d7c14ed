"""A Ray to run on: a private one on this machine, or an existing cluster.

A process uses one kind or the other: Ray reads its settings once, when it is imported.
"""

import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

from passband.jobs.executors.base import AGAIN, ExecutorError, one_line
from passband.jobs.executors.janitor import TOKEN_FILE, TOKEN_VARIABLE, Janitor
from passband.jobs.executors.muted import muted
from passband.jobs.executors.private import private_folder, shared_memory, write_private
from passband.jobs.executors.ray_versions import refuse_other_nodes

logger = logging.getLogger(__name__)

_OBJECT_STORE_BYTES = 75 * 2**20  # Ray's minimum: records are small
CLOSED = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # undocumented: every server then binds to loopback
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",  # its port would answer without the token
}
"""Settings of a Ray that is ours alone."""
_PATIENCE = "gcs_rpc_server_reconnect_timeout_s"
_HURRIED = {f"RAY_{_PATIENCE}": "10"}
"""A server that is lost while our own Ray starts does not come back; once it runs, Ray's minute is right again."""
_BROKE_OFF = f"passband: Ray broke off while it {{}}: a server of it was killed, or ran out of memory; {AGAIN}"
_private_token: str | None = None  # Ray keeps the first token it reads, so all sessions of a process share one


@contextlib.contextmanager
def local_ray(num_cpus: int, *, num_gpus: int = 0) -> Iterator[None]:
    """Run a private single-node Ray for workers of `num_cpus` CPUs in all; nothing of it outlives this process.

    It listens on the loopback interface only and asks for a token, which lies in a file that only this user can
    read, in a folder that is removed at the end.

    Parameters
    ----------
    num_cpus : int
    num_gpus : int
        GPUs that workers may ask for; Ray does not check that they exist.

    Raises
    ------
    ExecutorError
        If Ray was imported before, and so too early for these settings, or does not start.

    Notes
    -----
    Enter it on the main thread: the kernel ends Ray's processes together with the thread that started them, and Ray
    installs a handler of SIGTERM that aborts. The handler found is put back; where there was none, SIGTERM raises
    SystemExit while the session lasts. A handler may raise KeyboardInterrupt or SystemExit and nothing else: Ray,
    waiting, loses any other exception (and turns the code of a SystemExit into 1).
    """
    global _private_token
    if "ray" in sys.modules and _private_token is None:
        raise ExecutorError("Ray was imported before local_ray() could make it private: import it inside")
    _private_token = _private_token or secrets.token_hex(32)
    folder = private_folder()
    token = folder / TOKEN_FILE
    janitor = Janitor(folder)
    try:
        write_private(token, _private_token)
        settings = CLOSED | {"RAY_AUTH_MODE": "token", TOKEN_VARIABLE: str(token)}
        options = {"include_dashboard": False, "_system_config": {_PATIENCE: 60}}
        if (place := shared_memory(folder)) is not None:
            options["_plasma_directory"] = str(place)
        resources = {"num_cpus": num_cpus + 1, "num_gpus": num_gpus, "object_store_memory": _OBJECT_STORE_BYTES}
        below = str(folder / "ray")  # Ray opens its folder to everyone; the one above stays ours
        with _session("local", settings, janitor, _temp_dir=below, **options, **resources):
            yield
    finally:
        janitor.close()


@contextlib.contextmanager
def connect(address: str) -> Iterator[None]:
    """Use the running cluster at `address` ("host:port", or "auto"); leaving disconnects and does not stop it.

    Raises
    ------
    ExecutorError
        If the cluster cannot be reached, or a node of it runs other versions than this process. A token that it asks
        for is found as Ray documents (RAY_AUTH_TOKEN_PATH).
    """
    if address != "auto" and not answers(address):  # Ray itself would try for a minute, then abort the process
        raise ExecutorError(f"no Ray answers at {address!r}: give the address of the cluster's GCS, 'host:port'")
    janitor = Janitor(None)
    try:
        with _session(address, {}, janitor):
            refuse_other_nodes(sys.modules["ray"])
            yield
    finally:
        janitor.close()


def answers(address: str) -> bool:
    """Whether something listens at `address`, "host:port"."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    except (OSError, ValueError, OverflowError):
        return False


def is_connected() -> bool:
    """Say whether this process has a Ray session; Ray is not imported to find out."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


@contextlib.contextmanager
def _session(address: str, settings: dict[str, str], janitor: Janitor, **options: Any) -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    # The settings go to Ray, which reads them now, and to its processes; no other child of ours shall inherit them.
    with _environment(settings):
        with _environment(_HURRIED if address == "local" else {}):
            import ray

        if ray.is_initialized():
            raise ExecutorError("this process has a Ray session already")
        _silence(ray)
        try:
            with janitor.speaking(_BROKE_OFF.format("started")), muted():
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
        except BaseException as error:
            ray.shutdown()
            _restore(handler)
            if isinstance(error, Exception):
                raise ExecutorError(_start_failure(address, error)) from error
            raise
    _restore(_exit if handler is signal.SIG_DFL else handler)
    try:
        yield
    finally:
        with janitor.speaking(_BROKE_OFF.format("ended")), muted():
            ray.shutdown()
        _restore(handler)


def _start_failure(address: str, error: Exception) -> str:
    cause = one_line(error)
    if address == "local" and ("timed out" in cause.lower() or "gcs" in cause.lower()):  # it names files and settings
        return f"Ray does not start: a server of it ended, or the machine is too busy; {AGAIN}"
    return f"Ray at {address!r} does not start: {cause}"


def _silence(ray: Any) -> None:
    """Send what Ray prints about dying workers to the log: it goes to stdout, whatever the options are."""

    def to_log(message: dict[str, Any], ignore_prefix: bool = False) -> None:
        logger.info("ray: %s", " ".join(str(line) for line in message.get("lines", ())))

    if hasattr(ray._private.worker, "print_to_stdstream"):
        ray._private.worker.print_to_stdstream = to_log


@contextlib.contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _restore(handler: Any) -> None:
    # Only the main thread may set a handler; on another one Ray has set none.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGTERM, handler)


def _exit(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
