"""What is submitted: a checked job with absolute paths, and the command that runs it on the cluster."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from passband.jobs.cluster.resolving import absolute_references
from passband.jobs.common.jobfile import check_kind, read_yaml

KINDS = ("generate", "analyze", "train", "evaluate")
ENTRYPOINT = "python -P -m passband.jobs.entry"
STOP_S = 60
"""What a stopped job has to save its state in, where Ray would kill it after 3 seconds."""


@dataclass(frozen=True)
class Submission:
    """A job that is ready to be submitted.

    Attributes
    ----------
    words : what stands on the command line, ``run`` or ``analyze sensitivity``
    spreads : whether the command takes an executor and an address, and so works on many nodes
    output : output.uri, absolute
    job : the job file as a mapping that reads back as the same job
    workers : processes that it is spread over; None is a worker for every CPU of the cluster
    """

    kind: str
    name: str
    words: tuple[str, ...]
    spreads: bool
    output: str
    job: dict[str, Any]
    workers: int | None = None

    def metadata(self) -> dict[str, str]:
        """Return what the cluster tells everybody of the job."""
        return {"passband.kind": self.kind, "passband.name": self.name, "passband.output": self.output}

    def new_id(self) -> str:
        """Return an id that is readable, in the order of time, and like no other."""
        now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        return f"{re.sub(r'[^A-Za-z0-9_-]', '-', self.name)[:40]}-{now}-{secrets.token_hex(2)}"


def read_submission(path: str | Path, output: str | None = None, workers: int | None = None) -> Submission:
    """Check the job file at `path` as the command that runs it does, and make it independent of this folder.

    Raises
    ------
    JobError
        What ``passband run``, ``analyze``, ``train`` or ``evaluate`` would say of the file.
    """
    given = read_yaml(path)
    inner = given["job"] if isinstance(given, Mapping) and "identity" in given and "job" in given else given
    kind = check_kind(inner, str(path), *KINDS)
    return {"generate": _generate, "analyze": _analyze, "train": _train, "evaluate": _evaluate}[kind](
        path, output, workers
    )


def _generate(path: str | Path, output: str | None, workers: int | None) -> Submission:
    from passband.jobs.dataset.spec import load_job

    job = load_job(path).with_compute(executor="ray", workers=workers)
    job = (job if output is None else job.with_output(output)).with_absolute_paths()
    return Submission("generate", job.name, ("run",), True, job.output.uri, job.resolved(), job.compute.workers)


def _analyze(path: str | Path, output: str | None, workers: int | None) -> Submission:
    from passband.jobs.analysis.spec import AMPLITUDE, load_analyze_job
    from passband.jobs.analysis.studies import STUDIES

    job = load_analyze_job(path)
    what = job.what or (AMPLITUDE if job.surrogate is None else "sensitivity")
    spreads = what in STUDIES
    job = job.for_command(what).with_compute(executor="ray" if spreads else None, workers=workers)
    job = (job if output is None else job.with_output(output)).with_absolute_paths()
    return Submission(
        "analyze", job.name, ("analyze", what), spreads, job.output.uri, job.resolved(), job.compute.workers
    )


def _train(path: str | Path, output: str | None, workers: int | None) -> Submission:
    from passband.jobs.training.spec import load_train_job

    refuse_workers(workers, "train")
    job = load_train_job(path)
    job = (job if output is None else job.with_output(output)).with_absolute_paths()
    given = absolute_references(job.model_dump(), ("data",), ("evaluate",))
    return Submission("train", job.name, ("train",), False, job.output.uri, given)


def _evaluate(path: str | Path, output: str | None, workers: int | None) -> Submission:
    from passband.jobs.evaluation.spec import load_evaluate_job

    refuse_workers(workers, "evaluate")
    job = load_evaluate_job(path)
    job = (job if output is None else job.with_output(output)).with_absolute_paths()
    given = absolute_references(job.model_dump(), ("test", "corruptions", "frequency"), ("domains",))
    return Submission("evaluate", job.name, ("evaluate",), False, job.output.uri, given)


def refuse_workers(workers: int | None, kind: str) -> None:
    """Raise JobError where workers are asked for, for a kind of job that is one process."""
    from passband.jobs.common.jobfile import JobError

    if workers is not None:
        raise JobError(f"--workers {workers}: a job of kind {kind} runs in one process; give --num-cpus or --num-gpus")
