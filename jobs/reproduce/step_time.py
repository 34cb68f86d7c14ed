"""How long a step of FGMix takes beside one of ERM, in turn (FGMix, table 1)."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, ClassVar

import torch

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_VERSION = 1
_SIZE, _CLASSES = 32, 10


@dataclass(frozen=True)
class StepTimeTask:
    """The processor time of steps of objectives on one network, in blocks that take turns.

    Attributes
    ----------
    network : its kind
    domains, per_domain : of the batch, whose images are noise of 32 pixels
    objectives : name -> the objective of a job
    blocks : of each objective
    steps : of a block
    """

    network: str
    domains: int
    per_domain: int
    objectives: Mapping[str, Mapping[str, Any]]
    blocks: int
    steps: int
    kind: ClassVar[str] = "time"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of all that is asked for; the machine is not part of it."""
        return digest({"version": _VERSION, **asdict(self)})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write the median milliseconds of a step of each objective; a step of each is not counted."""
        torch.set_num_threads(1)
        steps = {name: self._stepper(options) for name, options in self.objectives.items()}
        spent: dict[str, list[float]] = {name: [] for name in steps}
        for step in steps.values():
            step()
        for _ in range(self.blocks):
            for name, step in steps.items():
                begun = time.process_time()  # of this process alone: another may be at work beside it
                for _ in range(self.steps):
                    step()
                spent[name].append(1000 * (time.process_time() - begun) / self.steps)
        results = {"kind": self.kind, "ms": {name: median(found) for name, found in spent.items()}}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results

    def _stepper(self, options: Mapping[str, Any]) -> Any:
        """Return what takes one step of an objective, on a network of its own and always the same batch."""
        from torch.optim import Adam

        from passband.jobs.training.batches import TrainBatch
        from passband.jobs.training.objectives import OBJECTIVES, Setting
        from passband.jobs.training.update import Update
        from passband.pipeline.networks.network import NetworkSpec, build_network

        size, count = [3, _SIZE, _SIZE], self.domains * self.per_domain
        noise, numbers = torch.rand(count, *size, generator=torch.Generator().manual_seed(0)), torch.arange(count)
        groups = numbers // self.per_domain
        batch = TrainBatch({"clean": noise}, numbers % self.per_domain % _CLASSES, groups, numbers)
        classes = [str(label) for label in range(_CLASSES)]
        spec = NetworkSpec(kind=self.network, shape=size, classes=classes, mean=[0.5] * 3, std=[0.25] * 3)
        network = build_network(spec, 0).train()
        setting = Setting(
            views=("clean",),
            num_classes=_CLASSES,
            num_groups=self.domains,
            num_samples=count,
            steps_per_epoch=1,
            epochs=1,
            seed=0,
            update=Update(torch.device("cpu")),
        )
        kind = OBJECTIVES[options["kind"]]
        chosen = kind.Options.model_validate({key: value for key, value in options.items() if key != "kind"})
        objective, optimizer = kind(chosen, setting), Adam(network.parameters(), lr=1e-3)
        return lambda: objective.step(network, optimizer, batch)
