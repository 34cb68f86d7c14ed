"""Ray's Jobs API as the commands use it: every refusal becomes one sentence, and none holds a token."""

import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from passband.jobs.cluster.parcel import FILE, Parcel
from passband.jobs.cluster.state import ClusterError
from passband.jobs.cluster.token import token_settings, without_ray
from passband.jobs.executors.base import one_line
from passband.jobs.executors.ray_session import answers

_STATES = {"PENDING": "waiting", "RUNNING": "running", "STOPPED": "stopped", "SUCCEEDED": "done", "FAILED": "failed"}
_FOLLOW_EVERY_S = 0.5
_ENDED = ("stopped", "done", "failed")


class UnreachableError(ClusterError):
    """Nothing answers at a cluster's address."""


@dataclass(frozen=True)
class ClusterJob:
    """A job as the cluster knows it: ``waiting``, ``running``, ``stopped``, ``done`` or ``failed``."""

    id: str
    state: str
    message: str
    exit_status: int | None
    metadata: dict[str, str]
    started: float | None
    error: str | None = None
    """Ray's word for what failed."""

    @property
    def has_ended(self) -> bool:
        """Whether its state is final."""
        return self.state in _ENDED


class Client:
    """A connection to the cluster at `address`, with the token in `token_file`.

    Raises
    ------
    UnreachableError
        If nothing answers.
    ClusterError
        If the token is refused, or what answers is no Ray.
    """

    def __init__(self, address: str, token_file: Path) -> None:
        self.address = checked_address(address)
        if not answers(_host_and_port(self.address)):  # Ray's own client would wait without an end
            raise UnreachableError(f"no cluster answers at {address}")
        _use_token(token_file)
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobSubmissionClient

        for handler in logging.getLogger("ray").handlers:  # it tells of every file that it sends
            handler.setLevel(logging.WARNING)
        self._refusal = AuthenticationError
        self._token_file = token_file
        with self._explained():
            self._client = JobSubmissionClient(self.address)

    def ray_version(self) -> str:
        """Return the cluster's version of Ray."""
        return str(self._client._server_ray_version)

    def submit(self, job_id: str, entrypoint: str, parcel: Parcel, metadata: dict[str, str],
               **resources: float | None) -> None:  # fmt: skip
        """Hand a job to the cluster, its file first; raise ClusterError where the id is in use there."""
        if self.find(job_id) is not None:
            raise ClusterError(f"the cluster at {self.address} has a job {job_id} already: choose another --id")
        with self._explained(), tempfile.TemporaryDirectory(prefix="passband-") as folder:
            (Path(folder) / FILE).write_bytes(parcel.content)
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=job_id,
                runtime_env={"env_vars": parcel.environment, "working_dir": folder},
                metadata=metadata,
                **resources,
            )

    def find(self, job_id: str) -> ClusterJob | None:
        """Return a job; None if the cluster does not know it."""
        with self._explained():
            try:
                return _as_job(self._client.get_job_info(job_id))
            except RuntimeError as error:
                if "status code 404" in str(error):
                    return None
                raise

    def all(self) -> list[ClusterJob]:
        """Return every job that was submitted to this cluster since it came up."""
        with self._explained():
            return [_as_job(found) for found in self._client.list_jobs() if found.submission_id]

    def log(self, job_id: str) -> str:
        """Return what a job has printed so far."""
        with self._explained():
            return str(self._client.get_job_logs(job_id))

    def follow(self, job_id: str, show: Callable[[str], None], interrupted: Callable[[], bool]) -> None:
        """Give what a job prints to `show`, until it ends or the caller is `interrupted`."""
        shown = 0
        while not interrupted():
            ended = (found := self.find(job_id)) is None or found.has_ended
            text = self.log(job_id)
            if len(text) > shown:
                show(text[shown:])
                shown = len(text)
            if ended:
                return
            time.sleep(_FOLLOW_EVERY_S)

    def stop(self, job_id: str) -> None:
        """Ask a job to end."""
        with self._explained():
            self._client.stop_job(job_id)

    def wait_ended(self, job_id: str, timeout_s: float) -> ClusterJob | None:
        """Return a job when its state is final; or as it is once time is up."""
        give_up = time.monotonic() + timeout_s
        while (found := self.find(job_id)) is not None and not found.has_ended and time.monotonic() < give_up:
            time.sleep(0.2)
        return found

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._refusal:
            # Ray's text speaks of its own commands and of no file.
            raise ClusterError(
                f"the cluster at {self.address} refuses the token in {self._token_file}: it is another cluster's"
            ) from None
        except OSError as error:
            raise UnreachableError(f"the cluster at {self.address} went away: {one_line(error)}") from error
        except (RuntimeError, ValueError) as error:
            reason = one_line(error)
            raise ClusterError(f"the cluster at {self.address} answers: {reason[:400]}") from error


def checked_address(address: str) -> str:
    """Return the address of a cluster, http://HOST:PORT; raise ClusterError for what is none."""
    parts = urlsplit(address)
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or parts.scheme == "https")
    except ValueError:  # a port that is no number
        usable = False
    if not usable or parts.username is not None:
        raise ClusterError(f"--address {address!r} is no address of a cluster's job server: http://HOST:PORT (8265)")
    return f"{parts.scheme}://{parts.netloc}"


def _host_and_port(address: str) -> str:
    parts = urlsplit(address)
    return parts.netloc if parts.port else f"{parts.netloc}:443"


def _use_token(token_file: Path) -> None:
    """Set this process's environment for Ray, which reads it once, when it is imported."""
    kept = without_ray(dict(os.environ))  # RAY_ADDRESS, for one, would override the address that is given
    for name in os.environ.keys() - kept.keys():
        del os.environ[name]
    os.environ.update(token_settings(token_file))


def _as_job(found: Any) -> ClusterJob:
    return ClusterJob(
        id=str(found.submission_id),
        state=_STATES[found.status.value],
        message=" ".join(str(found.message or "").split()),
        exit_status=found.driver_exit_code,
        metadata=dict(found.metadata or {}),
        started=None if found.start_time is None else found.start_time / 1000,
        error=getattr(found, "error_type", None),
    )


def is_ready(address: str, token_file: Path) -> bool:
    """Whether the cluster at `address` takes jobs by now."""
    try:
        Client(address, token_file).all()
    except ClusterError:
        return False
    return True
