"""Hand a checked job to a cluster, unless its output is being made already."""

import time
from pathlib import Path

from passband.jobs.cluster.client import Client, checked_address
from passband.jobs.cluster.heads import running_heads
from passband.jobs.cluster.parcel import packed
from passband.jobs.cluster.records import Record, all_records, is_id
from passband.jobs.cluster.state import ClusterError
from passband.jobs.cluster.submission import ENTRYPOINT, Submission
from passband.jobs.cluster.token import find_token
from passband.jobs.cluster.tracking import Clusters, track
from passband.jobs.executors.versions import current_versions
from passband.pipeline.lock import is_locked
from passband.pipeline.store import open_store

_LIVE = ("waiting", "running")


def choose_address(given: str | None) -> str:
    """Return the address that is given, or that of the one cluster that runs on this machine."""
    if given is not None:
        return checked_address(given)
    heads = running_heads()
    if len(heads) == 1:
        return str(heads[0]["address"])
    if heads:
        listed = ", ".join(str(note["address"]) for note in heads)
        raise ClusterError(f"several clusters run here: {listed}; choose one by --address")
    raise ClusterError("no cluster runs here: start one with `passband cluster up`, or give --address http://HOST:PORT")


def send(
    submission: Submission,
    address: str,
    token_file: Path | None,
    job_id: str | None,
    num_cpus: float | None,
    num_gpus: float | None,
) -> Record:
    """Submit, and keep a record of it.

    Raises
    ------
    ClusterError
        If the cluster refuses, runs another Ray, or another live job makes the same output.
    """
    if job_id is not None and not is_id(job_id):
        raise ClusterError(
            f"--id {job_id!r}: an id is letters, digits and _ . - , at most 128, a letter or digit first"
        )
    token = find_token(token_file)
    client = Client(address, token)
    _refuse_other_ray(client)
    _refuse_busy_output(submission, client)
    record = Record(
        id=job_id or submission.new_id(),
        kind=submission.kind,
        name=submission.name,
        output=submission.output,
        address=client.address,
        token_file=str(token),
        submitted=round(time.time(), 3),
    )
    client.submit(
        record.id,
        ENTRYPOINT,
        packed(submission, record.id),
        submission.metadata(),
        entrypoint_num_cpus=num_cpus,
        entrypoint_num_gpus=num_gpus,
    )
    record.write()
    return record


def _refuse_other_ray(client: Client) -> None:
    here, there = current_versions()["ray"], client.ray_version()
    if here != there:
        raise ClusterError(f"the cluster at {client.address} runs ray {there} (here {here}): install one on both sides")


def _refuse_busy_output(submission: Submission, client: Client) -> None:
    """Raise ClusterError, naming the job, if one that has not ended makes this output."""
    for found in client.all():
        if not found.has_ended and found.metadata.get("passband.output") == submission.output:
            raise ClusterError(_busy(submission.output, found.id, found.state))
    clusters = Clusters()
    before = [track(r, clusters) for r in all_records() if r.output == submission.output and r.ended is None]
    for job in before:
        if not job.has_ended:
            raise ClusterError(_busy(submission.output, job.record.id, job.state))
    if is_locked(open_store(submission.output)):
        raise ClusterError(f"{submission.output}: a passband process on this machine is at work on this output")
    for job in before:
        job.record.note_end(job.state)  # now: from here on, the output may be finished by the job that is submitted


def _busy(output: str, job_id: str, state: str) -> str:
    return f"{output}: the job {job_id} is {state} and makes this output; wait for it, or passband cancel {job_id}"
