"""The commands that measure: the stages on a device, and training with and without precomputed views."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.commands.shared import AsJson, print_json, stop

if TYPE_CHECKING:
    from jobs.bench.device import BenchDevice
    from jobs.bench.document import Document
    from jobs.bench.trial import Plan

Backend = Annotated[str, typer.Option("--backend", help="cpu or cuda", metavar="NAME")]
Sizes = Annotated[
    list[int] | None,
    typer.Option("--size", help="side of the images, again for more; default: 32, 64, 224", metavar="PX", min=16),
]
Stages = Annotated[
    list[str] | None,
    typer.Option("--stage", help="a stage or a pattern, as prime or 'corrupt/*_blur'; again for more", metavar="NAME"),
]
Rounds = Annotated[int | None, typer.Option("--rounds", help="default: 10, with --quick 3", metavar="N", min=1)]
Batch = Annotated[int | None, typer.Option("--batch", help="images in a run; default: by size", metavar="N", min=1)]
Severity = Annotated[int, typer.Option("--severity", help="of the corruptions", metavar="1..5", min=1, max=5)]
Price = Annotated[
    float | None, typer.Option("--price-per-hour", help="of the device, in any currency", metavar="PRICE", min=0)
]
PixelKind = Annotated[
    str, typer.Option("--pixels", help="float32: the stage alone; uint8: from and to stored pixels", metavar="KIND")
]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", help="network that sada attacks; default: an untrained one")
]
Threads = Annotated[int | None, typer.Option("--threads", help="of the CPU; default: all", metavar="N", min=1)]
Quick = Annotated[bool, typer.Option("--quick", help="a look: 32 pixels, few rounds")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="list the cases and about how long they take")]
Output = Annotated[Path | None, typer.Option("--output", help="write the JSON there too", metavar="FILE")]

bench = typer.Typer(
    help="Measure augmentation on a device, and training with and without stored views.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@bench.command()
def augment(
    backend: Backend = "cpu",
    size: Sizes = None,
    stage: Stages = None,
    rounds: Rounds = None,
    batch: Batch = None,
    severity: Severity = 3,
    price_per_hour: Price = None,
    pixels: PixelKind = "float32",
    checkpoint: Checkpoint = None,
    threads: Threads = None,
    quick: Quick = False,
    dry_run: DryRun = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Images a second of every stage, preset and size; share of a copy's bandwidth, energy, cost."""
    from jobs.bench.augment import measure
    from jobs.bench.cases import SIZES, default_batch, make_cases
    from jobs.bench.device import BACKENDS, open_device
    from jobs.bench.output import check_output, write_document
    from jobs.bench.progress import choose_progress
    from jobs.bench.trial import Plan

    _check("--backend", backend, BACKENDS)
    _check("--pixels", pixels, ("float32", "uint8"))
    check_output(output)
    plan = Plan(
        cases=make_cases(
            size or (SIZES[:1] if quick else SIZES),
            stage or (),
            severity=severity,
            batch=lambda side: batch or default_batch(backend, side),
        ),
        rounds=rounds or (3 if quick else 10),
        pixels="uint8" if pixels == "uint8" else "float32",
        price_per_hour=price_per_hour,
        checkpoint=checkpoint,
        copy_bytes=2**26 if quick else None,
        shrink=batch is None,
    )
    device = open_device(backend, threads)
    if dry_run:
        _tell_dry_run(plan, device, as_json)
        return
    with choose_progress() as progress, stop.deferred("stopped; the figures are of the rounds that were done"):
        document = measure(plan, device, progress, stopped=lambda: stop.number != 0)
    if output is not None:
        write_document(document, output)
    _tell(document, as_json)


def _check(option: str, given: str, allowed: Sequence[str]) -> None:
    from pipeline.errors import PassbandError

    if given not in allowed:
        raise PassbandError(f"{option} {given}: allowed are {', '.join(allowed)}")


def _tell_dry_run(plan: "Plan", device: "BenchDevice", as_json: bool) -> None:
    from dataclasses import asdict

    from jobs.bench.contender import Workbench
    from jobs.bench.progress import choose_progress
    from jobs.bench.table import format_trials
    from jobs.bench.trial import estimate

    with choose_progress() as progress:
        trials, seconds = estimate(plan, Workbench(device, plan.pixels, plan.checkpoint), progress)
    if as_json:
        print_json({"seconds": seconds, "cases": [asdict(trial) for trial in trials]})
    else:
        typer.echo(format_trials(trials, plan.rounds, seconds))


def _tell(document: "Document", as_json: bool) -> None:
    from jobs.bench.table import format_document

    print_json(document.model_dump(mode="json")) if as_json else typer.echo(format_document(document, _width()))
    stop.check()
    if any(row.error for row in document.rows):
        sys.exit(1)


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns
