"""The command that trains."""

from typing import Annotated, Any

import typer

from jobs.commands.shared import KEPT, AsJson, JobFile, print_json, stop

OtherOutput = Annotated[str | None, typer.Option("--output", help="instead of output.uri", metavar="FOLDER")]


def train(job: JobFile, output: OtherOutput = None, as_json: AsJson = False) -> None:
    """Train a network on a stored dataset; the same command resumes it. Under torchrun, on several processes."""
    from jobs.datasets import make_missing
    from jobs.training.collective import announced_rank
    from jobs.training.display import choose_training_display
    from jobs.training.evaluation.display import SilentDisplay, choose_evaluation_display
    from jobs.training.run import train
    from jobs.training.spec import load_train_job

    spec = load_train_job(job)
    if output is not None:
        spec = spec.with_output(output)
    first = announced_rank() == 0
    with stop.telling(KEPT), choose_evaluation_display(as_json) if first else SilentDisplay() as making:
        spec = spec.with_paths(make_missing(spec.references(), spec.datasets, progress=making.dataset))
    with stop.telling(KEPT), choose_training_display(as_json, first) as display, stop.deferred():
        results = train(spec, display=display, stopped=lambda: stop.number != 0)
    if first:
        print_json({"event": "finished", **results}) if as_json else typer.echo(_table(spec.output.uri, results))


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
