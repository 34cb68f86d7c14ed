"""Short pieces of training, one way of getting views after the other, timed step by step."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch

from passband.jobs.bench.device import BenchDevice
from passband.jobs.bench.timing import Clock
from passband.jobs.bench.ways import MakeViews
from passband.jobs.training.batches import to_device
from passband.jobs.training.objectives import Setting
from passband.jobs.training.objectives.jsd import Jsd
from passband.jobs.training.update import Update
from passband.pipeline.loading import Batch
from passband.pipeline.networks.network import NetworkSpec, build_network

RATE = 1e-3


class Batches(Protocol):
    """What a loop needs of a stream."""

    @property
    def num_samples(self) -> int:
        """Samples of an epoch."""

    def __len__(self) -> int:
        """Return the batches of an epoch."""

    def __iter__(self) -> Iterator[Batch]:
        """Go on to the end of the epoch."""

    def end_iteration(self) -> None:
        """Read nothing ahead any more."""


@dataclass(frozen=True)
class Step:
    """Seconds of one step: until the batch was there, until its views were, until the weights were moved."""

    waiting: float
    augmenting: float
    training: float

    @property
    def seconds(self) -> float:
        """The whole step."""
        return self.waiting + self.augmenting + self.training


@dataclass
class Loop:
    """A training that can go on for some steps at a time.

    Attributes
    ----------
    blocks : the steps of each call of `run`
    """

    stream: Batches
    make_views: MakeViews
    spec: NetworkSpec
    device: BenchDevice
    num_views: int
    clock: Clock = time.perf_counter
    blocks: list[list[Step]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._torch_device = torch.device(self.device.kernels.torch_device())
        self._model = build_network(self.spec, seed=0).to(self._torch_device).train()
        self._optimizer = torch.optim.SGD(self._model.parameters(), RATE)
        self._objective = Jsd(Jsd.Options.model_validate({}), self._setting())

    def _setting(self) -> Setting:
        return Setting(
            views=("clean", *(f"view{number}" for number in range(1, self.num_views + 1))),
            num_classes=len(self.spec.classes),
            num_groups=1,
            num_samples=self.stream.num_samples,
            steps_per_epoch=len(self.stream),
            epochs=1,
            seed=0,
            update=Update(self._torch_device),
        )

    def run(self, steps: int, most_s: float, stopped: Callable[[], bool] = lambda: False) -> list[Step]:
        """Take up to `steps` steps, no more once `most_s` are spent, and keep their times.

        The stream's iteration is ended after them, so that nothing is read ahead while another loop is timed.
        """
        taken: list[Step] = []
        begun, batches = self.clock(), iter(self.stream)
        with self.device.kernels.torch_stream():
            while len(taken) < steps and not stopped() and (not taken or self.clock() - begun < most_s):
                asked = self.clock()
                batch = next(batches, None)
                if batch is None:  # the epoch is over, and the stream stands at the next one
                    batches = iter(self.stream)
                    continue
                taken.append(self._step(batch, asked))
        self.stream.end_iteration()
        if taken:
            self.blocks.append(taken)
        return taken

    def _step(self, batch: Batch, asked: float) -> Step:
        got = self.clock()
        moved = to_device(batch, self._torch_device)
        views = replace(moved, images=self.make_views(moved))
        self._synchronize()
        made = self.clock()
        self._objective.step(self._model, self._optimizer, views)
        self._synchronize()
        return Step(got - asked, made - got, self.clock() - made)

    def _synchronize(self) -> None:
        self.device.synchronize()
        if self._torch_device.type == "cuda":
            torch.cuda.synchronize(self._torch_device)


def run_in_turn(
    loops: dict[str, Loop],
    rounds: int,
    steps: int,
    most_s: float,
    after: Callable[[str], None] = lambda name: None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Let each loop take one step that is forgotten, then in every round each of them a block of steps."""
    for loop in loops.values():
        loop.run(1, most_s, stopped)
        loop.blocks.clear()
    for _ in range(rounds):
        for name, loop in loops.items():
            if stopped():
                return
            loop.run(steps, most_s, stopped)
            after(name)


def per_step(block: Sequence[Step]) -> float:
    """Return the mean seconds of a step of a block."""
    return sum(step.seconds for step in block) / len(block)
