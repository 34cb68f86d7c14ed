"""The commands that make and look at datasets. Everything heavy is imported by the command that needs it."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from passband.jobs.commands.cluster import TokenFile, Url, tell_job
from passband.jobs.commands.shared import KEPT, AsJson, JobFile, Overwrite, Yes, print_json, stop
from passband.jobs.executors.choice import EXECUTORS, executor_names

if TYPE_CHECKING:
    from passband.jobs.common.overwrite import Contents
    from passband.jobs.dataset.spec import GenerateJob
    from passband.jobs.generation.inspect import Wanted
    from passband.pipeline.records import Manifest
    from passband.pipeline.store import Store

Output = Annotated[str, typer.Argument(help="output folder of a dataset, or s3://bucket/prefix", metavar="PATH")]
PathOrId = Annotated[str, typer.Argument(help="output folder, or id of a submitted job", metavar="PATH|ID")]
ExecutorName = Annotated[str | None, typer.Option("--executor", help=", ".join(executor_names()), metavar="NAME")]
Backend = Annotated[str | None, typer.Option("--backend", help="auto, cpu or cuda", metavar="NAME")]
Workers = Annotated[int | None, typer.Option("--workers", help="number of workers", metavar="N")]
Address = Annotated[str | None, typer.Option("--address", help="of an existing Ray cluster", metavar="A")]
JobFiles = Annotated[list[Path], typer.Argument(help="job files (YAML), or the job.yaml of datasets", metavar="JOB")]
Cache = Annotated[
    str | None, typer.Option("--cache", help="find or make it as FOLDER/NAME-IDENTITY instead", metavar="FOLDER")
]
Trust = Annotated[bool, typer.Option("--trust", help="of what is there already, compare sizes and no hashes")]
OtherOutput = Annotated[str | None, typer.Option("--output", help="instead of output.uri", metavar="URI")]


def run(
    jobs: JobFiles,
    executor: ExecutorName = None,
    workers: Workers = None,
    address: Address = None,
    backend: Backend = None,
    output: OtherOutput = None,
    cache: Cache = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the dataset of a job, or of several in turn; the same command resumes it."""
    from passband.jobs.common.jobfile import JobError

    if output is not None and (cache is not None or len(jobs) > 1):
        raise JobError(f"--output {output} is the place of one dataset: give it with one JOB and without --cache")
    if overwrite and cache is not None:
        raise JobError(
            f"--overwrite is for the output of a job; below --cache {cache} every dataset has its own folder"
        )
    specs = [_load(path, executor, workers, address, backend, output) for path in jobs]
    agreed = [overwrite and _ask(job, yes) for job in specs]
    for job, contents in zip(specs, agreed, strict=True):
        _run_one(job, cache, trust, as_json, contents)


def _ask(job: "GenerateJob", yes: bool) -> "Contents | bool":
    """Return what lies where the dataset of a job is to be, if it may be deleted; False where nothing is in the way."""
    from passband.jobs.common.overwrite import ask_overwrite
    from passband.jobs.dataset.output import replaceable
    from passband.jobs.generation.prepare import in_the_way
    from passband.pipeline.store import open_store

    job = job.with_absolute_paths()
    store = open_store(job.output.uri)
    if in_the_way(store, job) is not None and (contents := replaceable(store, job)) is not None:
        ask_overwrite(contents, yes=yes, kind="dataset")
        return contents
    return False


def _run_one(job: "GenerateJob", cache: str | None, trust: bool, as_json: bool, overwrite: "Contents | bool") -> None:
    from passband.jobs.generation.cache import generate_cached
    from passband.jobs.generation.display import GenerationDisplay
    from passband.jobs.generation.run import generate

    if as_json:
        print_json({"event": "job", "name": job.name})
    with stop.telling(KEPT), GenerationDisplay.for_streams(as_json) as display:
        if cache is None:
            with _advised(job.output.uri):
                made = generate(job, display=display, checkpoint=stop.check, trust=trust, overwrite=overwrite)
            manifest, place = made, job.output.uri
        else:
            manifest, place = generate_cached(job, cache, display, stop.check, trust=trust)
    if as_json:
        print_json({"event": "finished", "output": place, "identity": manifest.identity})
    else:
        _tell_made(manifest, place)


@contextmanager
def _advised(uri: str) -> Iterator[None]:
    """Tell of --overwrite where it would make room."""
    from passband.jobs.common.overwrite import OccupiedError, claimed
    from passband.pipeline.errors import PassbandError

    try:
        yield
    except OccupiedError as error:
        try:
            claimed(uri)
        except PassbandError:  # not all of it is ours: --overwrite would refuse it
            raise error from None
        raise OccupiedError(f"{error}, or let --overwrite delete what is there") from error


def _tell_made(manifest: "Manifest", place: str) -> None:
    from passband.jobs.common.wording import size

    written = size(sum(shard.tar.bytes for shard in manifest.shards))
    typer.echo(f"{place}: {manifest.samples:,} samples x {len(manifest.views)} views, {written}")
    if manifest.bad:
        typer.echo(f"left out as unreadable: {len(manifest.bad)} images, listed in manifest.json")
    typer.echo(f"look at {place}/report.html")


def _load(
    path: Path,
    executor: str | None = None,
    workers: int | None = None,
    address: str | None = None,
    backend: str | None = None,
    output: str | None = None,
) -> "GenerateJob":
    from passband.jobs.dataset.spec import load_job

    spec = load_job(path).with_compute(executor=executor, workers=workers, address=address, backend=backend)
    return spec if output is None else spec.with_output(output)


def plan(
    job: JobFile,
    workers: Workers = None,
    executor: ExecutorName = None,
    backend: Backend = None,
    output: OtherOutput = None,
    as_json: AsJson = False,
) -> None:
    """Dry run: which images and classes, how many shards and bytes, and how long; nothing is written."""
    from dataclasses import asdict

    from passband.jobs.dataset.blueprint import draft
    from passband.jobs.dataset.environment import choose_executor, current_environment
    from passband.jobs.dataset.inputs import check_inputs
    from passband.jobs.dataset.memory import kept_bytes
    from passband.jobs.dataset.output import refuse_nested_output
    from passband.jobs.dataset.plan import make_plan
    from passband.jobs.generation.probe import estimate, estimate_maps
    from passband.jobs.generation.spelling import few_shards, plan_facts, spell_plan
    from passband.kernels.cpu.threads import set_num_threads

    spec = _load(job, executor, workers, None, backend, output)
    refuse_nested_output(spec)
    planned = make_plan(spec, sizes=True)
    environment = current_environment(spec)
    choice = choose_executor(spec)
    set_num_threads(choice.threads)
    drafted = draft(spec, planned, environment)
    check_inputs(spec, drafted.inputs, drafted.shape, drafted.classes, drafted.samples)
    found, maps = (
        estimate(drafted, planned, choice.workers, kept_bytes(spec, choice)),
        estimate_maps(spec, drafted.inputs),
    )
    if as_json:
        costs = {name: asdict(cost) for name, cost in maps.items()}
        facts = plan_facts(planned)
        facts["warnings"] += filter(None, [few_shards(found)])
        print_json(asdict(found) | {"maps": costs} | facts)
        return
    width = shutil.get_terminal_size((100, 24)).columns
    typer.echo(spell_plan(spec, planned, found, maps, EXECUTORS[choice.executor].worker, width))


def status(
    path: PathOrId,
    address: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """How far an output is: a dataset, training, evaluation, analysis, reproduction; or a submitted job."""
    from passband.jobs.cluster.records import find_record, is_id
    from passband.jobs.cluster.state import ClusterError
    from passband.jobs.comparison.status import read_run, spell_run
    from passband.jobs.generation.status import read_status, spell_status
    from passband.pipeline.store import open_store

    if address is not None or (not Path(path).exists() and find_record(path) is not None):
        tell_job(path, address, token_file, as_json)
        return
    if is_id(path) and not Path(path).exists():
        raise ClusterError(f"{path}: is no output here, and no job that was submitted from here; see `passband jobs`")
    run = read_run(open_store(path))
    found = read_status(path) if run is None else run
    if as_json:
        print_json(found)
        return
    typer.echo(spell_status(found) if run is None else spell_run(run))


def verify(
    path: Output,
    repair: Annotated[bool, typer.Option("--repair", help="remake what is not as recorded")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare every stored byte with its record; exit status 1 if anything differs."""
    from passband.jobs.generation.verify import repaired, verify
    from passband.pipeline.store import open_store

    store = open_store(path)
    problems = list(verify(store))
    if as_json:
        print_json({"problems": [problem.message for problem in problems], "repair": repair and bool(problems)})
    for problem in () if as_json else problems:
        typer.echo(problem.message)
    if problems and repair:
        from passband.jobs.generation.display import GenerationDisplay

        with stop.telling(KEPT), GenerationDisplay.for_streams(as_json) as display:
            shards = repaired(store, problems, display)
        problems = list(verify(store))
        if not as_json:
            typer.echo(_remade(sorted(shards)))
    if problems:
        if not as_json and not repair:
            typer.echo(f"{_found(len(problems))}; passband verify {path} --repair makes it again", err=True)
        sys.exit(1)
    if not as_json:
        typer.echo(f"{store.uri}: every byte is as recorded")


def _found(problems: int) -> str:
    return "1 thing is not as recorded" if problems == 1 else f"{problems} things are not as recorded"


def _remade(shards: list[int]) -> str:
    from passband.jobs.common.wording import count

    if not shards:
        return "remade files that are derived from the shards, and no shard"
    return f"remade {count(len(shards), 'shard')}: {', '.join(map(str, shards))}"


def inspect(
    path: Output,
    shard: Annotated[int | None, typer.Option("--shard", help="show one shard's record", metavar="N")] = None,
    sample: Annotated[str | None, typer.Option("--sample", help="show one sample, by key or index")] = None,
    key: Annotated[str | None, typer.Option("--key", help="show one sample, by key alone")] = None,
    index: Annotated[int | None, typer.Option("--index", help="show one sample, by index alone", metavar="N")] = None,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="write a contact sheet", metavar="FILE.png")] = None,
    frequencies: Annotated[
        bool, typer.Option("--frequencies", help="what a network says of images, of their low and high frequencies")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="of --frequencies: a training, or its model.pt", metavar="TRAINING")
    ] = None,
    radius: Annotated[
        float | None, typer.Option("--radius", help="of --frequencies, in bins; default: a quarter of the side")
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", help="of --frequencies: samples shown; default: 8")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a dataset, one shard, one sample, a contact sheet, or how a network splits images by frequency."""
    from passband.jobs.generation.inspect import describe, spell, wanted_sample, write_sheet
    from passband.pipeline.store import open_store

    store, wanted = open_store(path), wanted_sample(sample, key, index)
    _check_frequencies(frequencies, {"--model": model, "--radius": radius, "--rows": rows}, shard)
    if frequencies:
        _inspect_frequencies(store, str(model), radius, rows, wanted, sheet, as_json)
        return
    if sheet is not None:
        write_sheet(store, sheet, shard, wanted)
        if as_json:
            print_json({"sheet": str(sheet)})
        else:
            typer.echo(f"wrote {sheet}")
        return
    found = describe(store, shard, wanted)
    if as_json:
        print_json(found)
        return
    typer.echo(spell(found))


def _check_frequencies(asked: bool, options: dict[str, Any], shard: int | None) -> None:
    from passband.pipeline.errors import PassbandError

    given = [name for name, value in options.items() if value is not None]
    if not asked and given:
        raise PassbandError(f"{given[0]} is an option of --frequencies, which is not given")
    if asked and options["--model"] is None:
        raise PassbandError("--frequencies needs --model TRAINING: the network that is asked")
    if asked and shard is not None:
        raise PassbandError("--frequencies looks at a dataset or at one sample, not at a --shard")


def _inspect_frequencies(
    store: "Store",
    model: str,
    radius: float | None,
    rows: int | None,
    wanted: "Wanted | None",
    sheet: Path | None,
    as_json: bool,
) -> None:
    from passband.jobs.generation.split import ROWS, spell_split, split_frequencies, split_sheet, split_values

    found = split_frequencies(store, model, radius, ROWS if rows is None else rows, wanted)
    if sheet is not None:
        sheet.write_bytes(split_sheet(found))
    if as_json:
        print_json(split_values(found) | ({} if sheet is None else {"sheet": str(sheet)}))
        return
    typer.echo(spell_split(found))
    if sheet is not None:
        typer.echo(f"wrote {sheet}")


def export(
    path: Output,
    form: Annotated[str, typer.Option("--format", help="which one", metavar="NAME")] = "ffcv",
    as_json: AsJson = False,
) -> None:
    """Write the FFCV file (.beton) of a finished dataset from its shards, or that of another format."""
    from passband.jobs.common.wording import size
    from passband.jobs.generation.export import write_export
    from passband.pipeline.errors import PassbandError
    from passband.pipeline.formats import exports
    from passband.pipeline.lock import locked
    from passband.pipeline.manifest import read_manifest
    from passband.pipeline.store import open_store

    known = {export.name: export for export in exports()}
    if form not in known:
        raise PassbandError(f"format is {form!r}; it can be {', '.join(known)}")
    store = open_store(path)
    read_manifest(store)  # before a lock is laid where no dataset is
    with locked(store):
        file = known[form].listed(write_export(store, read_manifest(store), known[form]))
    assert file is not None
    if as_json:
        print_json(file.model_dump())
        return
    typer.echo(f"{store.uri}/{file.name}: {size(file.bytes)}, sha256 {file.sha256}")


def schema(
    kind: Annotated[str, typer.Argument(help="generate, train, evaluate or analyze", metavar="[KIND]")] = "generate",
) -> None:
    """Print the JSON Schema of a kind of job file."""
    from passband.jobs.analysis.spec import AnalyzeJob
    from passband.jobs.common.jobfile import JobError
    from passband.jobs.dataset.spec import GenerateJob
    from passband.jobs.evaluation.spec import EvaluateJob
    from passband.jobs.training.spec import TrainJob
    from passband.pipeline.options import StrictModel

    models: dict[str, type[StrictModel]] = {
        "generate": GenerateJob,
        "train": TrainJob,
        "evaluate": EvaluateJob,
        "analyze": AnalyzeJob,
    }
    if kind not in models:
        raise JobError(f"no job is of kind {kind!r}; allowed: {', '.join(models)}")
    typer.echo(json.dumps(models[kind].model_json_schema(), indent=2))


def stages(as_json: AsJson = False) -> None:
    """List the stages with their options, and the sources."""
    from passband.jobs.dataset.listing import listing, spell_listing

    found = listing()
    if as_json:
        print_json(found)
        return
    typer.echo(spell_listing(found, shutil.get_terminal_size((100, 24)).columns))
