"""What was submitted from here: a small file for each job, which outlives the cluster. The token is not in it."""

import contextlib
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from passband.jobs.cluster.state import ClusterError, read_all, read_json, state_folder, write_json

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Record:
    """A job that was submitted.

    Attributes
    ----------
    submitted : float
        Seconds since 1970.
    token_file : str
        Where the token lay when it was submitted.
    ended : str or None
        The state in which it ended, once that was seen: another run may finish its output later.
    """

    id: str
    kind: str
    name: str
    output: str
    address: str
    token_file: str
    submitted: float
    ended: str | None = None

    def write(self) -> None:
        """Keep it."""
        write_json(_path(self.id), asdict(self))

    def note_end(self, state: str) -> None:
        """Keep how it ended, where it was submitted from here; a state folder that cannot be written keeps nothing."""
        if state != self.ended and find_record(self.id) is not None:
            with contextlib.suppress(ClusterError):
                replace(self, ended=state).write()

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {key: value for key, value in asdict(self).items() if key not in ("token_file", "ended")}


def is_id(text: str) -> bool:
    """Whether `text` may be the id of a job."""
    return _ID.fullmatch(text) is not None


def find_record(job_id: str) -> Record | None:
    """Return what is known here of a job."""
    return _as_record(read_json(_path(job_id))) if is_id(job_id) else None


def all_records() -> list[Record]:
    """Return what was submitted from here, the newest first."""
    found = [record for given in read_all(_folder()) if (record := _as_record(given)) is not None]
    return sorted(found, key=lambda record: record.submitted, reverse=True)


def _as_record(given: dict[str, Any] | None) -> Record | None:
    known = {field.name for field in fields(Record)}
    try:
        return None if given is None else Record(**{key: value for key, value in given.items() if key in known})
    except TypeError:  # another version's
        return None


def _path(job_id: str) -> Path:
    return _folder() / f"{job_id}.json"


def _folder() -> Path:
    return state_folder() / "jobs"
