"""Jobs that name datasets by other jobs: those are put in their place, and their paths made absolute.

The process that runs a submitted job has another working folder, and perhaps not the files of jobs that it names.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from passband.jobs.common.jobfile import absolute_path


def absolute_references(job: Mapping[str, Any], sections: Iterable[str], tables: Iterable[str]) -> dict[str, Any]:
    """Return the job with every dataset in it independent of the working folder.

    Parameters
    ----------
    sections : keys of the job that name a dataset
    tables : keys that are mappings of name -> dataset
    """
    changed: dict[str, Any] = {key: _absolute(job[key]) for key in sections}
    changed |= {key: {name: _absolute(entry) for name, entry in job[key].items()} for key in tables}
    return {**job, **changed, "datasets": absolute_path(job["datasets"])}


def _absolute(entry: Mapping[str, Any] | None) -> Any:
    """Return a dataset by its place, its job or its source with what it names by a path made absolute."""
    if entry is None:
        return None
    places = ("path", "published")
    changed: dict[str, Any] = {key: absolute_path(entry[key]) for key in places if entry.get(key) is not None}
    if entry.get("job") is not None:
        changed["job"] = _spelled_out(entry["job"])
    if entry.get("source") is not None:
        source = entry["source"]
        changed["source"] = [_absolute(one) for one in source] if isinstance(source, list) else _absolute(source)
    return {**entry, **changed}


def _spelled_out(job: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return a job of kind generate, a file or spelled out, as a mapping with absolute paths."""
    from passband.jobs.dataset.spec import load_job, parse_job

    if isinstance(job, str):
        return load_job(job).with_absolute_paths().resolved()
    output = job.get("output", {})
    complete = {**job, "output": {"uri": "cache", **output} if isinstance(output, dict) else output}
    return parse_job(complete, "the job of a dataset").with_absolute_paths().resolved()
