"""What the cluster runs for a submitted job: the command that a person would type, on the cluster's head.

``python -P -m passband.jobs.entry``, in the folder that Ray unpacked the submission into. The versions are
compared before anything is written: those of who submitted it with these, and these with every node's.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from passband.jobs.cluster.parcel import VARIABLE, opened
from passband.jobs.cluster.state import ClusterError
from passband.jobs.common.yamltext import dump_yaml
from passband.jobs.executors.versions import current_versions, differences

SUBMITTED = ("passband", "ray")
"""What must be the same where a job is submitted. The libraries that make its bytes are the cluster's own affair."""
_RAY_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
_RAY_OWN = ("RAY_ADDRESS", _RAY_JOB)


def main() -> None:
    """Run the submission in the working folder and end with its status."""
    from passband.pipeline.errors import PassbandError

    note = json.loads(os.environ.pop(VARIABLE))
    try:
        refuse_other_versions(note["versions"])
        given = opened(note, Path.cwd())
        with _cluster(given) as address:
            _run(given, address, Path("job.yaml"))  # in Ray's folder for this job, which goes with the cluster
    except PassbandError as error:
        sys.stderr.write(f"passband: {error}\n")
        sys.exit(1)


def refuse_other_versions(submitted: Mapping[str, str]) -> None:
    """Raise ClusterError, naming both versions, if the job comes from another Passband or Ray than is here."""
    if differing := differences(submitted, current_versions(), "the cluster", SUBMITTED):
        raise ClusterError(f"submitted by {', '.join(differing)}: install one version on both; nothing was written")


@contextlib.contextmanager
def _cluster(given: Mapping[str, Any]) -> Iterator[str | None]:
    """Connect a job that is spread over workers; for another, let nothing of it find this cluster by accident."""
    if given["spreads"]:
        from passband.jobs.executors.ray_session import connect

        _spare_workers()
        address = os.environ["RAY_ADDRESS"]
        with connect(address):
            yield address
        return
    for name in _RAY_OWN:
        os.environ.pop(name, None)
    yield None


def _spare_workers() -> None:
    """Keep what the job's own process was given, its file above all, from every worker: none needs it."""
    if _RAY_JOB in os.environ:
        job = json.loads(os.environ[_RAY_JOB])
        os.environ[_RAY_JOB] = json.dumps({key: value for key, value in job.items() if key != "runtime_env"})


def _run(given: Mapping[str, Any], address: str | None, file: Path) -> None:
    from passband.jobs.cli import main as passband

    file.write_text(dump_yaml(given["job"]), "utf-8")
    options = [] if address is None else ["--executor", "ray", "--address", address]
    if given["workers"] is not None and address is not None:
        options += ["--workers", str(given["workers"])]
    sys.argv = ["passband", *given["words"], str(file), *options]
    passband()


if __name__ == "__main__":
    main()
