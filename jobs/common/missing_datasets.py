"""From the datasets that a job names to folders: what is only described is made, in a child process.

The child is a ``passband run``: it imports the kernels and whatever makes shards, and this process stays free of
them. It finds by itself what was made before, since the name of a dataset in the cache is its identity.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from passband.jobs.common.yamltext import dump_yaml
from passband.pipeline.errors import PassbandError
from passband.pipeline.home import expanded

Event = Mapping[str, Any]
"""What the child says of its work: one line of ``passband run --json``."""
_PATIENCE_S = 30.0  # for a child that was asked to end


class DatasetError(PassbandError):
    """A dataset that a job names and that could not be made; the message is the child's."""


class Reference(Protocol):
    """What names a dataset: its place, or the job that makes it, as a file or spelled out."""

    @property
    def path(self) -> str | None:
        """The place of a stored dataset."""

    @property
    def job(self) -> str | Mapping[str, Any] | None:
        """A job of kind generate."""


def make_missing(
    references: Sequence[Reference], cache: str | Path, *, progress: Callable[[Event], None] = lambda event: None
) -> list[str]:
    """Return where each dataset lies; those given by a job are made below `cache` unless they are there.

    Parameters
    ----------
    references : a job that stands there twice is made once
    cache : folder
        A dataset's own folder in it is NAME-IDENTITY, with 16 digits of the identity.
    progress : callable
        Given every event of the child.

    Raises
    ------
    DatasetError
        If a job is refused or fails; what was finished before stays. If there is something to make and `cache` is no
        local folder.
    """
    wanted = {_spelling(reference): reference.job for reference in references if reference.job is not None}
    if wanted and "://" in str(cache):
        raise DatasetError(f"datasets: {str(cache)!r} is not local; name the folder in which missing datasets are made")
    places = dict(zip(wanted, _make(list(wanted.values()), cache, progress), strict=True)) if wanted else {}
    return [places[_spelling(r)] if r.path is None else r.path for r in references]


def _spelling(reference: Reference) -> str:
    return json.dumps(reference.job, sort_keys=True)


def _make(jobs: Sequence[Any], cache: str | Path, progress: Callable[[Event], None]) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="passband-") as folder:
        files = [job_file(job, Path(folder) / str(number)) for number, job in enumerate(jobs)]
        trusted = "--trust"  # whoever reads them compares every shard with its hash, once
        arguments = ["run", *map(str, files), "--cache", str(cache), trusted, "--json"]
        with tempfile.TemporaryFile() as complaints, _child(arguments, complaints) as child:
            places, name, told = [], "", ""
            for event in _events(child):
                if event["event"] in ("error", "stopped"):
                    told = str(event["message"])
                    continue
                progress(event)
                name = event["name"] if event["event"] == "job" else name
                if event["event"] == "finished":
                    places.append(str(event["output"]))
            if child.wait() != 0:
                said = _complaint(told or _last_words(complaints), name, child.returncode)
                raise DatasetError(re.sub(rf"{re.escape(folder)}/\d+/", "", said))
    return places


def job_file(job: Any, folder: Path) -> Path:
    """Return the file of a job; one that is spelled out is written below `folder` and needs no place of its own."""
    if isinstance(job, str):
        return Path(expanded(job))
    output = job.get("output", {})
    complete = {**job, "output": {"uri": "cache", **output} if isinstance(output, dict) else output}
    folder.mkdir()
    file = folder / "job"
    file.write_text(dump_yaml(complete), "utf-8")
    return file


@contextmanager
def _child(arguments: Sequence[str], complaints: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    """Run ``passband`` as a child that ends with this block, whatever ends it.

    It gets a process group of its own: a Ctrl-C on the terminal reaches this process alone, which then asks the child
    to end, once. (A second signal would cut short how it cleans up.)
    """
    command = [sys.executable, "-P", "-m", "passband", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True, process_group=0
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.terminate()
                try:
                    child.communicate(timeout=_PATIENCE_S)  # reading on, or it could hang on a full pipe
                except subprocess.TimeoutExpired:
                    child.kill()


def _events(child: subprocess.Popen[str]) -> Iterator[Event]:
    assert child.stdout is not None
    for line in child.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a library's own word
        if isinstance(event, dict) and "event" in event:
            yield event


def _last_words(complaints: IO[bytes]) -> str:
    """Return the last lines on standard error of a child that could not say as an event why it ends."""
    complaints.seek(0)
    return "\n".join(complaints.read().decode(errors="replace").strip().splitlines()[-3:])


def _complaint(message: str, name: str, status: int) -> str:
    what = f"the dataset {name}" if name else "the datasets"
    return f"{what} could not be made: {message.strip() or f'the process ended with status {status}'}"
