"""How fast a dataset was made: added up from the records of its shards."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from passband.pipeline.records import ShardRecord

_BEFORE, _AFTER = ("read", "decode"), ("round", "encode", "write")
"""Steps of a build around its stages, in the order in which a sample meets them."""


@dataclass(frozen=True)
class Step:
    """One step of the build.

    Attributes
    ----------
    share : float
        Of the busy seconds of all steps, 0 to 1.
    samples_per_s : float or None
        Of one worker while it is busy with this step; None where the step took no measurable time.
    """

    name: str
    seconds: float
    share: float
    samples_per_s: float | None


@dataclass(frozen=True)
class Throughput:
    """What the records say of a run.

    Attributes
    ----------
    steps : list of Step, in the order in which a sample meets them
    busy_s : float
        Seconds that workers spent on shards, added up.
    wall_s : float
        Seconds in which at least one worker was on a shard; start-up and pauses between runs are left out.
    workers, hosts, retried : int
        Different worker processes, the machines they ran on, shards that needed a second attempt.
    processors : processor -> shards that it built
    finished : float
        When the last shard was finished, seconds since 1970; 0.0 where there are none.
    """

    steps: list[Step]
    busy_s: float
    wall_s: float
    samples: int
    workers: int
    hosts: int
    retried: int
    processors: dict[str, int]
    finished: float

    @property
    def samples_per_s(self) -> float | None:
        """Samples a second of wall time, all workers together."""
        return self.samples / self.wall_s if self.wall_s > 0 else None

    @property
    def parallel(self) -> float | None:
        """Mean number of shards that were being built at a time."""
        return self.busy_s / self.wall_s if self.wall_s > 0 else None


def add_up(records: Iterable[ShardRecord]) -> Throughput:
    """Read every record once; their pixels are not needed."""
    steps: Counter[str] = Counter()
    processors: Counter[str] = Counter()
    workers: set[str] = set()
    spans: list[tuple[float, float]] = []
    samples = retried = 0
    for record in records:
        for name, seconds in record.stage_seconds.items():
            steps[name] += seconds  # type: ignore[assignment]  # a Counter adds floats as well
        processors[record.processor] += 1
        workers.add(record.worker)
        spans.append((record.finished - record.seconds, record.finished))
        samples += record.samples
        retried += record.attempts > 1
    return Throughput(
        steps=list(_shares(dict(steps), samples)),
        busy_s=sum(end - start for start, end in spans),
        wall_s=union_length(spans),
        samples=samples,
        workers=len(workers),
        hosts=len({worker.rpartition(":")[0] for worker in workers}),
        retried=retried,
        processors=dict(sorted(processors.items())),
        finished=max((end for _, end in spans), default=0.0),
    )


def union_length(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of intervals (start, end)."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _shares(seconds: dict[str, float], samples: int) -> Iterator[Step]:
    total = sum(seconds.values())
    stages = sorted(seconds.keys() - {*_BEFORE, *_AFTER})
    for name in (*_BEFORE, *stages, *_AFTER):
        if name in seconds:
            spent = seconds[name]
            yield Step(name, spent, spent / total if total > 0 else 0.0, samples / spent if spent > 0 else None)
