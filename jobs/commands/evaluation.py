"""The command that evaluates a network. Everything heavy is imported by it."""

import sys
from typing import Annotated

import typer

from passband.jobs.commands.shared import KEPT, AsJson, JobFile, print_json, stop

OtherOutput = Annotated[str | None, typer.Option("--output", help="instead of output.uri", metavar="FOLDER")]


def evaluate(job: JobFile, output: OtherOutput = None, as_json: AsJson = False) -> None:
    """Measure a network under the conditions of a job; the same command resumes it."""
    from rich.console import Console

    from passband.jobs.evaluation.display import EvaluationDisplay
    from passband.jobs.evaluation.run import evaluate
    from passband.jobs.evaluation.spec import load_evaluate_job
    from passband.jobs.evaluation.table import tables

    spec = load_evaluate_job(job)
    spec = spec if output is None else spec.with_output(output)
    with stop.telling(KEPT), EvaluationDisplay.for_streams(as_json) as display:
        found = evaluate(spec, display=display, checkpoint=stop.check)
    if as_json:
        print_json({"event": "finished", "output": spec.output.uri, "results": found.model_dump()})
        return
    Console(file=sys.stdout, highlight=False).print(tables(found))
    typer.echo(f"look at {spec.output.uri}/report.html")
