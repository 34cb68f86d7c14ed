"""What a job would cost, measured on a few of its samples before anything is written."""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.dataset.clock import Clock
from passband.jobs.dataset.inputs import computed_maps, stand_ins
from passband.jobs.dataset.memory import footprint
from passband.jobs.dataset.packing import Packer
from passband.jobs.dataset.plan import Plan, PlanRow
from passband.jobs.dataset.reading import Reader
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.dataset.views import Augmenter
from passband.jobs.generation.keeping import map_job
from passband.kernels.cpu.threads import get_num_threads
from passband.pipeline.formats.webdataset.tar import TarWriter
from passband.pipeline.records import StoredInput

if TYPE_CHECKING:
    from passband.jobs.analysis.probe import Estimate as MapEstimate

_PROBE_S = 2.0


@dataclass(frozen=True)
class Estimate:
    """A dry run's answer.

    Attributes
    ----------
    bytes : int
        Of all shards, by the mean of the probed samples.
    seconds : float
        With `workers`, start-up aside; the probe ran the same kernels with the same number of threads.
    probed : int
        Samples that were measured.
    at_once : int
        Samples of a batch.
    in_flight_bytes : int
        Pixels in flight in a worker.
    peak_bytes : int
        Memory that a worker takes at most.
    stage_seconds : step -> busy seconds a sample
    """

    samples: int
    views: int
    shards: int
    samples_per_shard: int
    bytes: int
    seconds: float
    probed: int
    workers: int
    at_once: int
    in_flight_bytes: int
    peak_bytes: int
    stage_seconds: dict[str, float]


def estimate(blueprint: Blueprint, plan: Plan, workers: int, kept: int = 0) -> Estimate:
    """Make some samples of `plan` in memory, throw them away, and scale up what it took.

    Parameters
    ----------
    kept : bytes of source images that a run keeps at most from its plan on
    """
    probe, fit = _Probe(blueprint), footprint(blueprint, get_num_threads(), plan.largest, min(kept, plan.source_bytes))
    size = min(fit.samples, 256)
    begun, probed = time.perf_counter(), 0
    while probed < blueprint.samples and (probed == 0 or time.perf_counter() - begun < _PROBE_S):
        rows = _rows(plan, probed, size)
        probe.make(rows)
        probed += len(rows)
    seconds = time.perf_counter() - begun
    scale = blueprint.samples / probed
    return Estimate(
        samples=blueprint.samples,
        views=len(blueprint.views()),
        shards=blueprint.shards,
        samples_per_shard=blueprint.samples_per_shard,
        bytes=round(probe.bytes * scale),
        seconds=seconds * scale / workers,
        probed=probed,
        workers=workers,
        at_once=min(fit.samples, blueprint.samples),
        in_flight_bytes=fit.in_flight_bytes,
        peak_bytes=fit.peak_bytes,
        stage_seconds={step: spent / probed for step, spent in sorted(probe.clock.seconds.items())},
    )


def estimate_maps(job: GenerateJob, files: Sequence[StoredInput]) -> "dict[str, MapEstimate]":
    """Return what each sensitivity map would cost that a run of `job` computes first, by its kind."""
    from passband.jobs.analysis.probe import estimate as estimate_map

    return {
        f"{wanted.kind} map": estimate_map(map_job(job, wanted, wanted.surrogate.checkpoint, job.output.uri))
        for wanted in computed_maps(job, files).values()
    }


def _rows(plan: Plan, start: int, count: int) -> list[PlanRow]:
    return [PlanRow(**row) for row in plan.table.slice(start, count).to_pylist()]


class _Probe:
    def __init__(self, blueprint: Blueprint) -> None:
        self._reader = Reader(blueprint)
        self._augmenter = Augmenter(blueprint, stand_ins(blueprint.job, blueprint.shape))
        self._augmenter.warm_up()
        self._packer = Packer(blueprint)
        self.clock = Clock()
        self.bytes = 0

    def make(self, rows: list[PlanRow]) -> None:
        batch = self._reader.read(rows, self.clock)
        views = self._augmenter.apply(batch, self.clock)
        encoded = self._packer.encode(batch, views, self.clock)
        tar = TarWriter(io.BytesIO())
        with self.clock.step("write"):
            encoded.write(tar)
        self.bytes += tar.bytes_written
