"""Measure the cases on a device: warmed up, then timed in turn, then their memory and energy."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from passband.jobs.bench.contender import SURROGATE, Workbench
from passband.jobs.bench.device import COPY_BYTES, BenchDevice
from passband.jobs.bench.document import CopyFacts, Document, EnergyFacts, Row, Settings
from passband.jobs.bench.energy import Meter, find_meter, joules_per_run
from passband.jobs.bench.machine import device_facts, load_average, versions
from passband.jobs.bench.rows import make_row, spread
from passband.jobs.bench.timing import Clock, Run, quartiles, time_in_turn
from passband.jobs.bench.trial import WARMUP, Plan, Progress, warm_up

COPY = "copy"


def measure(
    plan: Plan,
    device: BenchDevice,
    progress: Progress,
    stopped: Callable[[], bool] = lambda: False,
    clock: Clock = time.perf_counter,
) -> Document:
    """Measure every case of a plan; where it is stopped, the document holds the rounds that were done."""
    load = load_average()
    trials, runs = warm_up(plan, Workbench(device, plan.pixels, plan.checkpoint), progress, stopped)
    copy_bytes = plan.copy_bytes or COPY_BYTES[device.backend]
    contenders = {COPY: _copying(device, copy_bytes), **runs}
    progress.step("timing", len(contenders) * plan.rounds)
    seconds = time_in_turn(contenders, plan.rounds, 0, clock=clock, after=progress.advance, stopped=stopped)
    copied = [2 * copy_bytes / spent for spent in seconds[COPY]]
    bandwidth = quartiles(copied)[1] if copied else None
    rows = [make_row(plan, trial, seconds.get(trial.case.key, []), bandwidth) for trial in trials]
    meter = find_meter(device.backend, device.pci_bus_id)
    progress.step("memory, energy", len(runs))
    for number, row in enumerate(rows):
        run = runs.get(trials[number].case.key)
        if run is not None and row.rounds and not stopped():
            rows[number] = _with_memory_and_energy(row, run, device, meter)
            progress.advance(trials[number].case.key)
    return _document(plan, device, load, meter, rows, copy_bytes, copied, complete=not stopped())


def _copying(device: BenchDevice, num_bytes: int) -> Run:
    copy = device.copy(num_bytes)

    def run() -> None:
        copy()
        device.synchronize()

    run()  # the first one maps the memory
    return run


def _with_memory_and_energy(row: Row, run: Run, device: BenchDevice, meter: Meter | str) -> Row:
    found: dict[str, float | None] = {"peak_bytes": device.peak_bytes(run)}
    if not isinstance(meter, str):
        found["joules_per_image"] = joules_per_run(meter, run)[0] / row.batch
    return row.model_copy(update=found)


def _document(
    plan: Plan,
    device: BenchDevice,
    load: float | None,
    meter: Meter | str,
    rows: list[Row],
    copy_bytes: int,
    copied: list[float],
    complete: bool,
) -> Document:
    reason = meter if isinstance(meter, str) else None
    return Document(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        complete=complete,
        device=device_facts(device, load),
        versions=versions() | device.environment(),
        settings=Settings(
            rounds=plan.rounds,
            warmup=WARMUP,
            pixels=plan.pixels,
            price_per_hour=plan.price_per_hour,
            surrogate=str(plan.checkpoint.name) if plan.checkpoint else f"{SURROGATE}, untrained, never fooled",
        ),
        copy_bandwidth=CopyFacts(bytes=copy_bytes, bytes_per_s=spread(copied)) if copied else None,
        energy=EnergyFacts(
            meter=None if isinstance(meter, str) else meter.name,
            covers=None if isinstance(meter, str) else meter.covers,
            reason=reason,
        ),
        rows=rows,
    )
