"""The command that trains."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from passband.jobs.commands.shared import KEPT, AsJson, JobFile, Overwrite, Yes, print_json, stop

if TYPE_CHECKING:
    from passband.jobs.common.overwrite import Contents
    from passband.jobs.training.spec import TrainJob

OtherOutput = Annotated[str | None, typer.Option("--output", help="instead of output.uri", metavar="FOLDER")]

DryRun = Annotated[
    bool, typer.Option("--plan", help="dry run: steps, time by a few real steps, memory; nothing is written")
]


def train(
    job: JobFile,
    output: OtherOutput = None,
    plan: DryRun = False,
    overwrite: Overwrite = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Train a network on a stored dataset; the same command resumes it. Under torchrun, on several processes."""
    from passband.jobs.common.missing_datasets import make_missing
    from passband.jobs.evaluation.display import EvaluationDisplay
    from passband.jobs.training.collective import announced_rank
    from passband.jobs.training.display import TrainingDisplay
    from passband.jobs.training.run import check_first, train
    from passband.jobs.training.spec import load_train_job

    spec = load_train_job(job)
    if output is not None:
        spec = spec.with_output(output)
    if plan:
        _tell_plan(spec, overwrite, as_json)
        return
    first = announced_rank() == 0
    check_first(spec, overwrite=overwrite)
    with stop.telling(KEPT), EvaluationDisplay.for_streams(as_json) if first else EvaluationDisplay() as making:
        spec = spec.with_paths(make_missing(spec.references(), spec.datasets, progress=making.dataset))
    agreed = _agree(spec, yes) if overwrite and first else overwrite
    shown = TrainingDisplay.for_streams(as_json) if first else TrainingDisplay()
    with stop.telling(KEPT), shown as display, stop.deferred():
        results = train(spec, display=display, stopped=lambda: stop.number != 0, overwrite=agreed)
    if first:
        print_json({"event": "finished", **results}) if as_json else typer.echo(_table(spec.output.uri, results))


def _agree(spec: "TrainJob", yes: bool) -> "Contents | bool":
    """Return what else lies in the output, if it is to be deleted; False where nothing does."""
    from passband.jobs.common.overwrite import ask_overwrite
    from passband.jobs.training.output import other_output

    if (other := other_output(spec)) is not None:
        ask_overwrite(other, yes=yes, kind="training")
    return other or False


def _tell_plan(spec: "TrainJob", overwrite: bool, as_json: bool) -> None:
    from passband.jobs.generation.cache import find_made
    from passband.jobs.training.plan import plan_json, plan_training, spell_plan

    spec = spec.with_paths(find_made(spec.references(), spec.datasets))
    found = plan_training(spec, overwrite=overwrite)
    print_json(plan_json(found)) if as_json else typer.echo(spell_plan(found))


def _table(uri: str, results: dict[str, Any]) -> str:
    """Spell what a training came to, for a terminal of 60 columns."""
    rows = [
        ("network", f"{results['network']}, {results['parameters']:,} parameters"),
        ("objective", results["objective"]),
        ("loss", f"{results['loss']:.4f} after {results['steps']:,} steps"),
        *(
            (f"accuracy {name.removeprefix('accuracy/')}", f"{value:.2%}")
            for name, value in results["accuracy"].items()
        ),
        ("time", f"{results['seconds']:,.0f} s, {results['samples_per_s']:,.0f} samples/s"),
        ("waiting for data", f"{results['waiting_share']:.1%}"),
        ("written to", uri),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
