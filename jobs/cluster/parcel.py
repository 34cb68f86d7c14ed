"""A submission on its way: a file that Ray carries to where the job runs, and a short note to check it by there.

A job may name thousands of classes, and an environment variable ends at 128 KiB: only the note is one.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from passband.jobs.cluster.state import ClusterError
from passband.jobs.cluster.submission import STOP_S, Submission
from passband.jobs.executors.versions import current_versions

FILE = "submission.json"
"""In the working folder of the process that runs the job."""
VARIABLE = "PASSBAND_SUBMISSION"
"""Environment variable that holds the note."""
MAX_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Parcel:
    """What travels: the file's bytes, and the environment of the process that opens it."""

    content: bytes
    environment: dict[str, str]


def packed(submission: Submission, job_id: str) -> Parcel:
    """Return a submission ready to travel; raise ClusterError if it is too large."""
    content = json.dumps(asdict(submission) | {"id": job_id}, ensure_ascii=False).encode()
    if len(content) > MAX_BYTES:
        raise ClusterError(
            f"the job {submission.name} takes {len(content) / 2**20:.1f} MB when written out; "
            f"a submitted one may take {MAX_BYTES / 2**20:.1f} MB"
        )
    note = {"versions": current_versions(), "sha256": hashlib.sha256(content).hexdigest()}
    return Parcel(content, {VARIABLE: json.dumps(note), "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S)})


def opened(note: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the submission whose file lies in `folder`, as a mapping.

    Raises
    ------
    ClusterError
        If it is not there, or not what was sent.
    """
    path = folder / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ClusterError(f"the submitted job did not reach the cluster: {path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != note.get("sha256"):
        raise ClusterError("the submitted job was damaged on its way to the cluster: submit it again")
    given: dict[str, Any] = json.loads(content)
    return given
