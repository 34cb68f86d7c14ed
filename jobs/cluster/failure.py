"""Why a submitted job did not start, or ended badly, in our words: Ray's speak of its own actors and settings."""

import re
import signal

from passband.jobs.cluster.client import ClusterJob

_LONGEST = 400
_NEVER_STARTED = {
    "RUNTIME_ENV_SETUP_FAILURE": "did not start: the cluster could not unpack its file",
    "JOB_SUPERVISOR_ACTOR_START_TIMEOUT": "did not start in time: no node had room for its own process",
    "JOB_SUPERVISOR_ACTOR_START_FAILURE": "did not start: the cluster could not start its process",
    "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE": "did not start: no node can hold its own process",
    "JOB_ENTRYPOINT_COMMAND_START_ERROR": "did not start: its command could not be run",
}
_BROKE_OFF = {
    "JOB_SUPERVISOR_ACTOR_DIED": "broke off: its node, or what watched over it there, ended",
    "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE": "broke off: the cluster lost sight of it",
}
_SAYS_IT_ALL = ("JOB_SUPERVISOR_ACTOR_START_TIMEOUT",)


def why_failed(job: ClusterJob) -> str | None:
    """Return why a job failed, to follow its name: "did not start: ..."; None for one that did not fail."""
    if job.state != "failed":
        return None
    told = _NEVER_STARTED.get(job.error or "") or _BROKE_OFF.get(job.error or "")
    if told is None:
        return _by_status(job)
    reason = "" if job.error in _SAYS_IT_ALL else _reason(job.message)
    return f"{told} ({reason})" if reason else told


def why_waiting(job: ClusterJob) -> str | None:
    """Return what a job waits for that has not started yet; None for another."""
    if job.state != "waiting":
        return None
    if "resources" in job.message:
        return "has not started yet; it may wait for the CPUs or GPUs that it reserves"
    return "has not started yet"


def told_beside_log(job: ClusterJob) -> str | None:
    """Return what the log of a job cannot say: that it waits, never started, or was killed; else None."""
    ended_by_itself = job.exit_status is not None and 0 <= job.exit_status < 128
    return None if ended_by_itself else why_waiting(job) or why_failed(job)


def _by_status(job: ClusterJob) -> str:
    """Say how the process of a job ended that did start."""
    if job.exit_status is None:
        return f"failed: {_reason(job.message)}"
    number = -job.exit_status if job.exit_status < 0 else job.exit_status - 128
    if number == signal.SIGKILL:
        return "was killed, perhaps as its node ran out of memory"
    if 0 < number < 65:
        return f"was ended by signal {number}"
    return f"ended with status {job.exit_status}; its log says why"


def _reason(message: str) -> str:
    """Return the last cause in Ray's message, which may be a traceback, without Ray's own way there."""
    causes = re.findall(r"\b((?:\w+\.)*\w*(?:Error|Exception): .*?)(?= File \"| Traceback |$)", message)
    text = causes[-1] if causes else message
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
