"""Get an output ready to work on: plan it, or find that it is the one that this job began."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from passband.jobs.common.overwrite import Contents, OccupiedError, claimed, clear_output
from passband.jobs.dataset.blueprint import (
    Blueprint,
    check_plan,
    draw_up,
    identity_form,
    read_blueprint,
    refuse_outdated,
    write_blueprint,
    write_job,
)
from passband.jobs.dataset.environment import current_environment, refuse_other_environment
from passband.jobs.dataset.inputs import check_inputs, is_file_of, read_files
from passband.jobs.dataset.kept import Kept
from passband.jobs.dataset.output import refuse_foreign, replaceable
from passband.jobs.dataset.plan import Plan, Progress, make_plan
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.generation.keeping import Keeper
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.layout import FAILURES, INPUTS, JOB, PLAN
from passband.pipeline.records import StoredInput
from passband.pipeline.store import LocalStore, Store


def prepare(
    store: Store,
    job: GenerateJob,
    progress: Progress,
    step: Callable[[str], None],
    checkpoint: Callable[[], None] = lambda: None,
    *,
    plan_again: bool,
    plan: Plan | None = None,
    kept: Kept | None = None,
    overwrite: bool | Contents = False,
) -> Blueprint:
    """Return the blueprint of the output, drawn up now or found there.

    Parameters
    ----------
    plan_again : also what is kept of a plan that was made before: the plan itself, files and maps that stages read
    plan : of this job, where it was made just before
    kept : where to keep images that are read for a new plan
    overwrite : whether to delete another output of ours that is in the way, once all checks of this job are through;
        or what of it was agreed to be deleted

    Raises
    ------
    PassbandError
        If the output holds anything else than what this job makes here; it names what differs.
    """
    there = in_the_way(store, job)
    if there is not None and not (overwrite or _is_bare_plan(store)):
        raise there
    if there is not None or not store.exists(JOB):
        agreed = overwrite if isinstance(overwrite, Contents) or there is None else claimed(store)
        plan = plan or make_plan(job, progress, kept=kept)
        blueprint, encoded = draw_up(job, current_environment(job), plan)
        check_inputs(job, blueprint.inputs, blueprint.shape, blueprint.classes, blueprint.samples)
        if isinstance(agreed, Contents) and there is not None and replaceable(store, job) is not None:
            clear_output(store, agreed)
        keeper = Keeper(store, job, blueprint.identity, step, checkpoint)
        blueprint = replace(blueprint, inputs=keeper.keep(blueprint.inputs))
        write_blueprint(store, blueprint, encoded)
        return blueprint
    blueprint = read_blueprint(store)
    job = _as_begun(job, blueprint)
    files = read_files(job, blueprint.inputs)
    if plan_again or _sources_moved(blueprint.job, job):
        refuse_outdated(blueprint, store.uri)
        _plan_again(store, blueprint, job, progress)
        Keeper(store, job, blueprint.identity, step, checkpoint).keep(files, blueprint.inputs)
    for problem in check_plan(store, blueprint):
        raise IntegrityError(f"{problem.message}; verify --repair makes it again")
    return _with_job(store, blueprint, job, _renamed(blueprint, files))


def in_the_way(store: Store, job: GenerateJob) -> PassbandError | None:
    """Return what an output holds that `job` cannot go on with, as the error that says so; None where it can."""
    try:
        if not store.exists(JOB):
            refuse_foreign(store)
            return None
        blueprint = read_blueprint(store)
    except PassbandError as error:
        return error
    job = _as_begun(job, blueprint)
    files = read_files(job, blueprint.inputs)
    try:
        _refuse_other_job(blueprint, job, files, store.uri)
        refuse_other_environment(blueprint, store.uri, job)
    except PassbandError as error:
        return error
    return None


def _as_begun(job: GenerateJob, blueprint: Blueprint) -> GenerateJob:
    """Return a job with what it leaves open as the dataset was begun with it."""
    begun = job.output.samples_per_shard or blueprint.samples_per_shard
    return job.as_begun(blueprint.job).with_samples_per_shard(begun)


def _is_bare_plan(store: Store) -> bool:
    """Tell whether an output is a dataset that was planned and of which nothing was made: no work would be lost."""
    try:
        contents = claimed(store) if isinstance(store, LocalStore) else None  # elsewhere another run may be at work
    except PassbandError:
        return False
    begun = (JOB, PLAN, FAILURES)
    return (
        contents is not None
        and contents.kind == "dataset"
        and all(name in begun or name.rpartition("/")[0] == INPUTS for name, _ in contents.files)
    )


def _sources_moved(there: GenerateJob, here: GenerateJob) -> bool:
    return any(old.model_dump() != new.model_dump() for old, new in zip(there.source, here.source, strict=True))


def _plan_again(store: Store, blueprint: Blueprint, job: GenerateJob, progress: Progress) -> None:
    """Plan from the source as it is now; the plan must be the one that the dataset was begun with."""
    drawn, plan = draw_up(job, blueprint.environment, make_plan(job, progress), blueprint.inputs)
    if drawn.identity != blueprint.identity or drawn.plan_sha256 != blueprint.plan_sha256:
        raise IntegrityError(
            f"{store.uri}: was made from other images than the source {', '.join(e.kind for e in job.source)} has now; "
            "choose another output.uri"
        )
    store.put(PLAN, plan)


def _renamed(blueprint: Blueprint, files: Sequence[StoredInput]) -> tuple[StoredInput, ...]:
    """Return what the dataset keeps: files as the job names them now, and the maps."""
    maps = (entry for entry in blueprint.inputs if not is_file_of(blueprint.job, entry.reference))
    return (*files, *maps)


def _with_job(store: Store, blueprint: Blueprint, job: GenerateJob, inputs: tuple[StoredInput, ...]) -> Blueprint:
    """Return the blueprint with what may differ between two runs of one dataset as `job` says it: budgets, formats."""
    if blueprint.job.resolved() == job.resolved():
        return blueprint
    changed = replace(blueprint, job=job, inputs=inputs)
    write_job(store, changed)
    return changed


def _refuse_other_job(blueprint: Blueprint, job: GenerateJob, files: Sequence[StoredInput], uri: str) -> None:
    there = identity_form(blueprint.job, blueprint.inputs, blueprint.versions)
    here = identity_form(job, files, blueprint.versions)
    differing = list(_differences(there, here, ""))
    if differing:
        go_on = "go back to that job" if "://" in uri else f"go on with that job: passband run {uri}/{JOB}"
        raise OccupiedError(
            f"{uri}: holds a dataset of another job: {'; '.join(differing[:8])}"
            f"{' and more' if len(differing) > 8 else ''}. Choose another output.uri, or {go_on}"
        )


def _differences(there: Any, here: Any, path: str) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            yield from _differences(there.get(key), here.get(key), f"{path}.{key}" if path else key)
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for position, (old, new) in enumerate(zip(there, here, strict=True)):
            yield from _differences(old, new, f"{path}[{position}]")
    elif there != here:
        yield f"{path} is {_short(there)} there and {_short(here)} here"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
