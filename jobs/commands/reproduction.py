"""The command that makes a paper's table again."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from passband.jobs.commands.shared import KEPT, AsJson, print_json, stop
from passband.pipeline.errors import PassbandError

if TYPE_CHECKING:
    from passband.jobs.reproduce.plan import Plan
    from passband.jobs.reproduce.result import Result

Name = Annotated[str, typer.Argument(help="sharpdro, prime, digits, hfc, margins or fgmix", metavar="NAME")]
Output = Annotated[Path | None, typer.Option("--output", help="default: runs/reproduce-NAME", metavar="FOLDER")]
Quick = Annotated[bool, typer.Option("--quick", help="a few minutes: fewer seeds, epochs and conditions")]
Workers = Annotated[int | None, typer.Option("--workers", help="default: one for each CPU", metavar="N", min=1)]
Seeds = Annotated[
    int | None, typer.Option("--seeds", help="default: 3 (margins: 1), with --quick fewer", metavar="N", min=1)
]
Rounds = Annotated[
    int | None, typer.Option("--rounds", help="of digits: attack the newest network R times", metavar="R", min=1)
]
FineTune = Annotated[
    bool, typer.Option("--fine-tune", help="of digits: SADA trains on from the ERM network, as in the text")
]
Images = Annotated[
    list[str] | None,
    typer.Option("--images", help="of sharpdro: cifar10, cifar100 or imagenet30 from a folder", metavar="NAME=FOLDER"),
]
Keep = Annotated[
    Path | None, typer.Option("--keep", help="copy a full run's results and page to FOLDER/NAME", metavar="FOLDER")
]
DryRun = Annotated[bool, typer.Option("--plan", help="list the jobs and what is done; write nothing")]


def reproduce(
    name: Name,
    output: Output = None,
    quick: Quick = False,
    workers: Workers = None,
    seeds: Seeds = None,
    rounds: Rounds = None,
    fine_tune: FineTune = False,
    images: Images = None,
    keep: Keep = None,
    plan: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a paper's table again: datasets, trainings, evaluations; the same command resumes it."""
    from passband.jobs.reproduce.images import check_images, parse_images
    from passband.jobs.reproduce.plan import make_plan, num_workers
    from passband.jobs.reproduce.recipes import find_recipe
    from passband.pipeline.home import expanded

    folders = parse_images(images or [])
    recipe = find_recipe(name, quick=quick, seeds=seeds, rounds=rounds, fine_tune=fine_tune, images=folders)
    check_images(recipe.graph, folders)
    options = {"--quick": quick, "--seeds": seeds, "--rounds": rounds, "--fine-tune": fine_tune}
    given = [option if value is True else f"{option} {value}" for option, value in options.items() if value]
    given += [f"--images {known}=FOLDER" for known in folders]
    if keep is not None and given:
        raise PassbandError(f"keep: what is kept is the full run as the recipe has it; leave out {', '.join(given)}")
    folder = str(Path(expanded(output or Path("runs") / f"reproduce-{name}")).resolve())
    number = num_workers(workers)
    if plan:
        planned = make_plan(recipe, folder, number)
        print_json(planned.as_json()) if as_json else typer.echo(_spell_plan(planned, folder))
        return
    from passband.jobs.reproduce.display import ReproductionDisplay
    from passband.jobs.reproduce.kept import call_of, note_call
    from passband.jobs.reproduce.kept import keep as keep_run
    from passband.jobs.reproduce.outcome import conclude, write
    from passband.jobs.reproduce.run import run_graph

    begun, date = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    with stop.telling(KEPT), ReproductionDisplay.for_streams(as_json) as display:
        ledger = run_graph(recipe.graph, folder, number, display)
    result = conclude(recipe, ledger)
    write(result, folder)
    command = " ".join(["passband reproduce", name, *given])
    note_call(folder, call_of(ledger, command, date, time.monotonic() - begun))
    print_json({"event": "finished", "output": folder, **result.as_json()}) if as_json else _tell(result, folder)
    if keep is not None:
        kept = keep_run(result, folder, str(Path(expanded(keep)).resolve()))
        typer.echo(f"kept in {kept}", err=as_json)
    if result.failed:
        sys.exit(1)


def _spell_plan(plan: "Plan", folder: str) -> str:
    from passband.jobs.common.wording import duration

    width = max(len(line.name) for line in plan.lines)
    return "\n".join(
        [
            *(f"{line.state:<5} {line.kind:<11}{line.name:<{width}}".rstrip() for line in plan.lines),
            f"{len(plan.lines):,} jobs, {plan.done:,} done, into {folder}",
            f"about {duration(plan.seconds)} for the rest, {plan.workers} at a time (nothing is written)",
        ]
    )


def _tell(result: "Result", folder: str) -> None:
    from passband.jobs.reproduce.rows import main_unit
    from passband.jobs.reproduce.tables import as_text, note

    lines: list[Any] = [
        result.recipe.title,
        note(main_unit(result.blocks)),
        *(as_text(block) for block in result.blocks),
    ]
    typer.echo("\n\n".join(lines))
    typer.echo("")
    for name, why in result.failed.items():
        typer.echo(f"{name} failed: {why}")
    if result.behind:
        typer.echo(f"not begun, since they need what failed: {', '.join(result.behind)}")
    typer.echo(f"look at {folder}/report.html")
