"""From a folder to a first job: what is read, what was found, and the file that says so."""

import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from passband.jobs.common.yamltext import parse_yaml
from passband.jobs.dataset.output import refuse_nested_output
from passband.jobs.dataset.plan import Plan, make_plan
from passband.jobs.dataset.spec import GenerateJob, parse_job
from passband.jobs.init.advice import advice
from passband.jobs.init.proposal import InitError, propose_source, refuse_missing
from passband.jobs.init.survey import Survey, survey
from passband.jobs.init.text import job_text, usual_side
from passband.pipeline.home import expanded
from passband.pipeline.sources.local import spelled
from passband.pipeline.store import LocalStore

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Targets:
    """What is to be written: the job file, and the picture if one is wanted."""

    job: Path
    sheet: Path | None


@dataclass(frozen=True)
class FirstJob:
    """A job that was not written yet.

    Attributes
    ----------
    text : the file
    job : what it says
    plan : its samples, of which none was read
    warnings : what to know before it is run
    """

    text: str
    job: GenerateJob
    plan: Plan
    found: Survey
    warnings: list[str]


def job_name(folder: str) -> str:
    """Return the name of a job for what lies at `folder`: its own name, as far as a job's may hold it."""
    own = os.path.basename(os.path.abspath(expanded(folder)))
    stem = re.sub(r"(\.tar|\.parquet)$", "", own)
    ascii_letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    joined = re.sub(r"[^A-Za-z0-9_.-]+", "-", ascii_letters)[:_LONGEST_NAME]
    return joined.lstrip("_.-").rstrip("_.-") or "images"


def choose_targets(folder: str, job: Path | None, sheet: Path | None, no_sheet: bool) -> Targets:
    """Return where the files go: by default NAME.yaml here, and a PNG of the same name beside the job.

    Raises
    ------
    InitError
        If a name has another ending, or both are one file; or if a picture is and is not wanted.
    """
    if no_sheet and sheet is not None:
        raise InitError("--no-sheet and --sheet exclude each other: give one of them")
    written = Path(expanded(job)) if job is not None else Path(f"{job_name(folder)}.yaml")
    if written.suffix.lower() not in (".yaml", ".yml"):
        raise InitError(f"--output {written}: is to be a file that ends in .yaml")
    picture = None if no_sheet else Path(expanded(sheet)) if sheet is not None else written.with_suffix(".png")
    if picture is not None and picture.suffix.lower() != ".png":
        raise InitError(f"--sheet {picture}: is to be a file that ends in .png")
    return Targets(written, picture)


def check_targets(folder: str, targets: Targets, force: bool) -> None:
    """Raise InitError if there is no such folder, or a file would replace something or lie among the images."""
    refuse_missing(folder)
    root = os.path.realpath(expanded(folder))
    for path in filter(None, (targets.job, targets.sheet)):
        if path.is_dir():
            raise InitError(f"{path}: is a folder; name a file")
        if os.path.lexists(path) and not force:
            raise InitError(f"{path}: is there already; --force writes over it")
        if not path.parent.is_dir():
            raise InitError(f"{path}: there is no folder {path.parent}")
        if Path(os.path.realpath(path.parent)).is_relative_to(root):
            option = "--output" if path == targets.job else "--sheet"
            raise InitError(f"{path} would lie among the images of {spelled(folder)}; name another place with {option}")


def make_first_job(folder: str, targets: Targets, checkpoint: Callable[[], None] = lambda: None) -> FirstJob:
    """Look at what lies at `folder` and return a job that makes a dataset of it; nothing is written.

    Raises
    ------
    InitError, SourceError, PlanError
        If no job can be made of it.
    """
    proposal, name = propose_source(folder), job_name(folder)
    bare = {"kind": "generate", "name": name, "image": {"size": 32}, "views": ["clean"], "output": {"uri": name}}
    job = parse_job(bare | {"source": proposal.source}, "job")
    source = job.source[0].open()
    plan = make_plan(job, unread=True)
    checkpoint()
    found = survey(plan, source, checkpoint)
    uri = _output_uri(name, targets.job, source.paths)
    text = job_text(name, proposal, plan, found, uri, os.fspath(targets.job))
    job = parse_job(parse_yaml(text), os.fspath(targets.job))
    assert job.source[0].model_dump(exclude_unset=True) == proposal.source
    refuse_nested_output(job)
    return FirstJob(text, job, plan, found, advice(proposal, plan, found, usual_side(found)))


def _output_uri(name: str, job_file: Path, sources: tuple[str, ...]) -> str:
    """Return a folder for the dataset in ``runs`` beside the job file, apart from the images."""
    for own in (name, f"{name}-views"):
        uri = os.path.normpath(os.path.join(job_file.parent, "runs", own))
        root = LocalStore(uri).root
        apart = (not root.is_relative_to(path) and not Path(path).is_relative_to(root) for path in sources)
        if all(apart):
            break
    return uri


def write_first_job(first: FirstJob, targets: Targets, picture: bytes | None) -> None:
    """Write the job file, and the picture before it."""
    if targets.sheet is not None and picture is not None:
        LocalStore(targets.sheet.parent).put(targets.sheet.name, picture)
    LocalStore(targets.job.parent).put(targets.job.name, first.text.encode())
