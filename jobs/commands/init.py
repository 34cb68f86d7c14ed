"""The command that makes a first job file. Everything heavy is imported by it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from passband.jobs.commands.shared import AsJson, print_json, stop

if TYPE_CHECKING:
    from passband.jobs.init.first_job import FirstJob, Targets

Folder = Annotated[
    str, typer.Argument(help="folder of images, a folder for each class; or of .tar, .parquet, CIFAR", metavar="FOLDER")
]
JobOutput = Annotated[Path | None, typer.Option("--output", help="default: NAME.yaml here", metavar="JOB.yaml")]
Sheet = Annotated[Path | None, typer.Option("--sheet", help="default: a PNG beside the job", metavar="FILE.png")]
NoSheet = Annotated[bool, typer.Option("--no-sheet", help="draw no picture")]
Force = Annotated[bool, typer.Option("--force", help="write over files that are there")]


def init(
    folder: Folder,
    output: JobOutput = None,
    sheet: Sheet = None,
    no_sheet: NoSheet = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a first job for a folder of images, with comments, and a picture of what it makes."""
    from passband.jobs.common.wording import plain
    from passband.jobs.init.first_job import check_targets, choose_targets, make_first_job, write_first_job

    targets = choose_targets(folder, output, sheet, no_sheet)
    check_targets(folder, targets, force)
    with stop.telling("stopped; nothing was written"):
        first = make_first_job(folder, targets, stop.check)
        for warning in () if as_json else first.warnings:
            sys.stderr.write(f"warning: {plain(warning)}\n")
        picture = None
        if targets.sheet is not None:
            picture = _preview(first, as_json)
        stop.check()
    write_first_job(first, targets, picture)
    if as_json:
        print_json({"event": "finished", **_facts(first, targets)})
        return
    _tell(first, targets)


def _preview(first: "FirstJob", as_json: bool) -> bytes:
    from passband.jobs.init.preview import preview
    from passband.kernels.cpu.compile import is_compiled

    if not is_compiled():
        step = "compiling the kernels, once; it takes half a minute"
        if as_json:
            print_json({"event": "step", "step": step})
        else:
            sys.stderr.write(f"{step}\n")
    return preview(first.job, first.plan)


def _facts(first: "FirstJob", targets: "Targets") -> dict[str, Any]:
    sheet = targets.sheet
    return {
        "output": str(targets.job.resolve()),
        "sheet": None if sheet is None else str(sheet.resolve()),
        "name": first.job.name,
        "samples": len(first.plan.table),
        "classes": list(first.plan.classes),
        "class_counts": first.plan.class_counts,
        "looked_at": first.found.looked_at,
        "warnings": first.warnings,
    }


def _tell(first: "FirstJob", targets: "Targets") -> None:
    from passband.jobs.common.wording import command, count

    images = count(len(first.plan.table), "image")
    typer.echo(f"{images} in {count(len(first.plan.classes), 'class', 'classes')}")
    typer.echo(f"wrote {targets.job}")
    if targets.sheet is not None:
        typer.echo(f"look at {targets.sheet}")
    typer.echo("next:")
    for verb in ("plan", "run"):
        typer.echo(f"  {command('passband', verb, str(targets.job))}")
