"""The commands that measure: the stages on a device, and training with and without precomputed views."""

import math
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from passband.jobs.commands.shared import AsJson, print_json, stop

if TYPE_CHECKING:
    from passband.jobs.bench.device import BenchDevice
    from passband.jobs.bench.document import Document
    from passband.jobs.bench.trial import Plan

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
    Path | None, typer.Option("--checkpoint", help="network that is attacked; default: an untrained one")
]
Threads = Annotated[int | None, typer.Option("--threads", help="of the CPU; default: all", metavar="N", min=1)]
Quick = Annotated[bool, typer.Option("--quick", help="a look: 32 pixels, few rounds")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="list the cases and about how long they take")]
Output = Annotated[Path | None, typer.Option("--output", help="write the JSON there too", metavar="FILE")]

NetworkName = Annotated[str, typer.Option("--network", help="that is trained, as in job files", metavar="NAME")]
NumViews = Annotated[int, typer.Option("--views", help="PRIME views beside the clean one", metavar="N", min=1, max=16)]
BatchSize = Annotated[int, typer.Option("--batch-size", help="samples in a step", metavar="N", min=1, max=2048)]
Encoding = Annotated[str, typer.Option("--encoding", help="of the shards: png, webp, npy or jpeg", metavar="NAME")]
Ways = Annotated[
    list[str] | None,
    typer.Option("--way", help="stored, kernels or torch; again for more; default: all", metavar="NAME"),
]
TrainingRounds = Annotated[int | None, typer.Option("--rounds", help="default: 5, with --quick 2", metavar="N", min=1)]
Steps = Annotated[
    int | None, typer.Option("--steps", help="of each way in a round; default: 16, with --quick 4", metavar="N", min=1)
]

STOPPED = "stopped; the figures are of what was done until then"

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
    from passband.jobs.bench.augment import measure
    from passband.jobs.bench.cases import SIZES, default_batch, make_cases
    from passband.jobs.bench.device import BACKENDS, open_device
    from passband.jobs.bench.output import check_output, write_document
    from passband.jobs.bench.progress import BenchDisplay
    from passband.jobs.bench.trial import Plan

    _check("--backend", backend, BACKENDS)
    _check_price(price_per_hour)
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
    with BenchDisplay.for_streams() as progress, stop.deferred(), stop.telling(STOPPED):
        document = measure(plan, device, progress, stopped=lambda: stop.number != 0)
    if output is not None:
        write_document(document, output)
    _tell(document, as_json)


@bench.command()
def training(
    backend: Backend = "cpu",
    network: NetworkName = "lenet",
    views: NumViews = 3,
    batch_size: BatchSize = 128,
    encoding: Encoding = "png",
    way: Ways = None,
    rounds: TrainingRounds = None,
    steps: Steps = None,
    price_per_hour: Price = None,
    threads: Threads = None,
    quick: Quick = False,
    dry_run: DryRun = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Steps of a JSD training on mnist5k: PRIME views made in the loop, against streamed from shards."""
    from passband.jobs.bench.device import BACKENDS, open_device
    from passband.jobs.bench.output import check_output, write_document
    from passband.jobs.bench.progress import BenchDisplay
    from passband.jobs.bench.training import ENCODINGS, TrainingPlan, measure_training
    from passband.jobs.bench.training_estimate import estimate_training
    from passband.jobs.bench.training_table import format_training, format_training_estimate
    from passband.jobs.bench.ways import WAYS
    from passband.pipeline.surrogate.options import OURS

    _check("--backend", backend, BACKENDS)
    _check_price(price_per_hour)
    _check("--network", network, OURS)
    _check("--encoding", encoding, ENCODINGS)
    for name in way or ():
        _check("--way", name, list(WAYS))
    check_output(output)
    plan = TrainingPlan(
        network=network,
        batch_size=batch_size,
        num_views=views,
        encoding=encoding,
        rounds=rounds or (2 if quick else 5),
        steps=steps or (4 if quick else 16),
        most_s=5.0 if quick else 20.0,
        ways=tuple(dict.fromkeys(way or WAYS)),
        price_per_hour=price_per_hour,
    )
    device = open_device(backend, threads)
    told = stop.told if dry_run else STOPPED
    with BenchDisplay.for_streams() as progress, stop.deferred(), stop.telling(told):
        if dry_run:
            found = estimate_training(plan, device, progress)
            print_json(asdict(found)) if as_json else typer.echo(format_training_estimate(plan, found, _width()))
            return
        document = measure_training(plan, device, progress, lambda: stop.number != 0, stop.check)
    if output is not None:
        write_document(document, output)
    print_json(document.model_dump(mode="json")) if as_json else typer.echo(format_training(document, _width()))
    stop.check()


def _check(option: str, given: str, allowed: Sequence[str]) -> None:
    from passband.pipeline.errors import PassbandError

    if given not in allowed:
        raise PassbandError(f"{option} {given}: allowed are {', '.join(allowed)}")


def _check_price(price: float | None) -> None:
    from passband.pipeline.errors import PassbandError

    if price is not None and not math.isfinite(price):
        raise PassbandError(f"--price-per-hour {price}: is not a price")


def _tell_dry_run(plan: "Plan", device: "BenchDevice", as_json: bool) -> None:
    from passband.jobs.bench.contender import Workbench
    from passband.jobs.bench.progress import BenchDisplay
    from passband.jobs.bench.table import format_trials
    from passband.jobs.bench.trial import estimate

    with BenchDisplay.for_streams() as progress:
        trials, seconds = estimate(plan, Workbench(device, plan.pixels, plan.checkpoint), progress)
    if as_json:
        print_json({"seconds": seconds, "cases": [asdict(trial) for trial in trials]})
    else:
        typer.echo(format_trials(trials, plan.rounds, seconds))


def _tell(document: "Document", as_json: bool) -> None:
    from passband.jobs.bench.table import format_document

    print_json(document.model_dump(mode="json")) if as_json else typer.echo(format_document(document, _width()))
    stop.check()
    if any(row.error for row in document.rows):
        sys.exit(1)


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns
