"""Analyses as nodes of a graph: the job with the places of what other nodes made, run in a worker process."""

from collections.abc import Mapping
from typing import Any

from passband.jobs.reproduce.graph import Made, Stopped
from passband.jobs.reproduce.references import with_paths


def analyzed(
    job: Mapping[str, Any], what: str, folder: str, needs: Mapping[str, Made], stopped: Stopped
) -> dict[str, Any]:
    """Run an analysis, or go on with its blocks, and return what its ``results.json`` says.

    Parameters
    ----------
    job : of kind analyze, without ``output`` and ``compute``
    what : a key of `STUDIES`
    """
    from passband.jobs.analysis.run import analyze
    from passband.jobs.analysis.spec import parse_analyze_job

    def checkpoint() -> None:
        if stopped():
            raise SystemExit(1)

    complete = {
        **with_paths(job, needs),
        "kind": "analyze",
        "output": {"uri": folder},
        "compute": {"executor": "inline", "threads": 1},
    }
    return analyze(parse_analyze_job(complete), what, checkpoint=checkpoint).model_dump()
