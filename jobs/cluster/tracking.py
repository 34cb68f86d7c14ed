"""A submitted job as a person asks for it: what the cluster says, if it answers, and what the output says."""

import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from passband.jobs.cluster.client import Client, ClusterJob, UnreachableError
from passband.jobs.cluster.failure import why_failed, why_waiting
from passband.jobs.cluster.progress import Progress, read_progress
from passband.jobs.cluster.records import Record, all_records, find_record
from passband.jobs.cluster.state import ClusterError
from passband.jobs.cluster.submission import STOP_S
from passband.jobs.cluster.token import find_token
from passband.pipeline.errors import PassbandError

_FROM_OUTPUT = {"finished": "done", "running": "running", "unfinished": "lost", "not begun": "lost"}
_WAITING_S = 5.0  # Ray ends a job that has no place yet only when it gets one


@dataclass(frozen=True)
class Tracked:
    """A job with all that is known of it now.

    Attributes
    ----------
    state : ``waiting``, ``running``, ``done``, ``failed``, ``stopped``; ``lost`` if its cluster is gone before its end
    cluster : what the cluster says of it, or None
    silence : why the cluster says nothing, or None
    progress : what the output says, or None where it cannot be read
    """

    record: Record
    state: str
    cluster: ClusterJob | None
    silence: str | None
    progress: Progress | None
    problem: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the cluster does nothing more for it."""
        return self.cluster is None or self.cluster.has_ended

    @property
    def reason(self) -> str | None:
        """Why it failed, or has not started yet, if that is so."""
        return None if self.cluster is None else why_failed(self.cluster) or why_waiting(self.cluster)

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            **self.record.as_json(),
            "state": self.state,
            "message": self.silence or self.reason or (self.cluster.message if self.cluster is not None else ""),
            "cluster_answers": self.silence is None,
            "progress": None if self.progress is None else asdict(self.progress),
            "problem": self.problem,
        }


def track(record: Record, clusters: "Clusters") -> Tracked:
    """Return what is known of a job now."""
    found, silence = clusters.ask(record)
    progress, problem = None, None
    try:
        progress = read_progress(record.kind, record.output)
    except (PassbandError, OSError) as error:  # the output may lie where only the cluster can read
        problem = str(error)
    if found is not None:
        state = found.state
        if found.has_ended:
            record.note_end(state)
    elif record.ended is not None:  # what the output says may be another run's doing
        state = record.ended
    else:
        state = "lost" if progress is None else _FROM_OUTPUT[progress.state]
    return Tracked(record, state, found, silence, progress, problem)


class Clusters:
    """Connections to clusters, one for each address, opened when they are needed.

    Parameters
    ----------
    token_file : Path or None
        For all of them; None is the one that each job was submitted with.
    """

    def __init__(self, token_file: Path | None = None) -> None:
        self._token_file = token_file
        self._known: dict[str, dict[str, ClusterJob] | str] = {}

    def ask(self, record: Record) -> tuple[ClusterJob | None, str | None]:
        """Return what its cluster says of a job; None and why, if it says nothing."""
        if record.address not in self._known:
            self._known[record.address] = self._list(record)
        known = self._known[record.address]
        if isinstance(known, str):
            return None, known
        if record.id not in known:
            return None, f"the cluster at {record.address} does not know it: another one ran it"
        return known[record.id], None

    def _list(self, record: Record) -> dict[str, ClusterJob] | str:
        try:
            return {job.id: job for job in open_client(record, self._token_file).all()}
        except UnreachableError:
            return f"the cluster at {record.address} does not answer"
        except ClusterError as error:
            return str(error)


def open_client(record: Record, token_file: Path | None) -> Client:
    """Return a connection to the cluster of a job, by the token that is given, or that it was submitted with."""
    return Client(record.address, find_token(token_file or Path(record.token_file)))


def cancelled(record: Record, token_file: Path | None) -> tuple[Tracked, str]:
    """Stop a job, wait for its end, and return it with the state it was in before.

    Raises
    ------
    ClusterError
        If its cluster does not answer, or does not know it.
    """
    client = open_client(record, token_file)
    found = client.find(record.id)
    if found is None:
        raise ClusterError(f"the cluster at {record.address} does not know {record.id}: another one ran it")
    if not found.has_ended:
        client.stop(record.id)
        record.note_end("stopped")  # its end may come when nobody looks; if it was done before, the cluster says so
        client.wait_ended(record.id, STOP_S + 10 if found.state == "running" else _WAITING_S)
    return track(record, Clusters(token_file)), found.state


def exit_status(found: ClusterJob | None) -> int:
    """Return the status of a command that waited for a job: the job's own."""
    if found is None or not found.has_ended:
        return 1
    if found.state == "stopped":
        return 128 + signal.SIGTERM
    return 0 if found.state == "done" else found.exit_status or 1


def find_job(job_id: str, address: str | None, token_file: Path | None) -> Record:
    """Return the record of a job that was submitted here; or, with an address, elsewhere.

    Raises
    ------
    ClusterError
        If nobody knows it.
    """
    record = find_record(job_id)
    if record is not None and address in (None, record.address):
        return record
    if address is None:
        raise ClusterError(f"no job {job_id} was submitted from here; see `passband jobs`, or give its --address")
    token = find_token(token_file)
    found = Client(address, token).find(job_id)
    if found is None:
        raise ClusterError(f"the cluster at {address} has no job {job_id}")
    return record_of(found, address, token)


def record_of(found: ClusterJob, address: str, token_file: Path) -> Record:
    """Return the record of a job as its cluster knows it; raise ClusterError if it is none of Passband's."""
    told = {key: found.metadata.get(f"passband.{key}", "") for key in ("kind", "name", "output")}
    if not all(told.values()):
        raise ClusterError(f"the job {found.id} at {address} was not submitted by passband")
    submitted = time.time() if found.started is None else found.started
    return Record(id=found.id, address=address, token_file=str(token_file), submitted=submitted, **told)


def list_jobs(address: str | None, token_file: Path | None, newest: int | None) -> list[Tracked]:
    """Return the jobs that were submitted from here, or those of the cluster at `address`, the newest first."""
    records = [record for record in all_records() if address in (None, record.address)]
    if address is not None:
        token = find_token(token_file)
        known = {record.id for record in records}
        others = [
            job for job in Client(address, token).all() if job.id not in known and "passband.kind" in job.metadata
        ]
        records += [record_of(job, address, token) for job in others]
    clusters = Clusters(token_file)
    return [track(record, clusters) for record in sorted(records, key=lambda r: r.submitted, reverse=True)[:newest]]
