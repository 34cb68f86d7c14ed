"""The command that shows runs side by side. Everything heavy is imported by it."""

from pathlib import Path
from typing import Annotated

import typer

from passband.jobs.commands.shared import AsJson, print_json

Runs = Annotated[
    list[str],
    typer.Argument(help="output folders: datasets, trainings, evaluations, analyses, reproductions", metavar="RUN"),
]
Output = Annotated[Path, typer.Option("--output", help="where the page is written", metavar="FILE.html")]
Title = Annotated[str | None, typer.Option("--title", help="of the page; default: names of the runs", metavar="TEXT")]


def report(runs: Runs, output: Output = Path("report.html"), title: Title = None, as_json: AsJson = False) -> None:
    """Show runs of any kind side by side: one HTML page that needs nothing beside it."""
    from passband.jobs.comparison.page import check_output, page, summary, write_page
    from passband.jobs.comparison.reading import read_runs
    from passband.pipeline.home import expanded

    output = Path(expanded(output))
    check_output(output)  # before the work
    found = read_runs(runs)
    write_page(page(found, title), output)
    if as_json:
        print_json(summary(found, output, title))
        return
    typer.echo(f"look at {output}")
