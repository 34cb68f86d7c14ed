"""A network trained on synthetic points, and its margins: made in a worker process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_VERSION = 1


@dataclass(frozen=True)
class MarginTask:
    """A pure function of its parameters: points, a network trained on them, and its margins in subspaces.

    Attributes
    ----------
    setting : what `passband.jobs.reproduce.synthetic.study.study` takes
    """

    setting: Mapping[str, Any] = field(hash=False)
    kind: ClassVar[str] = "margin"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of the parameters."""
        return digest({"version": _VERSION, "setting": self.setting})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Train, measure and write what was found; one that is stopped begins anew."""
        import torch

        from passband.jobs.reproduce.synthetic.study import study
        from passband.kernels import cpu

        def checkpoint() -> None:
            if stopped():
                raise SystemExit(1)

        torch.set_num_threads(1)  # a sum's order, and so the last bits of the weights, depend on the number of threads
        cpu.set_num_threads(1)
        results = {"kind": "margins", "setting": dict(self.setting), **study(self.setting, checkpoint)}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results
