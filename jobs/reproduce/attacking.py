"""Accuracy of a trained network under attack, its first convolution's kernels smoothed to different degrees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

CLEAN = "clean"


@dataclass(frozen=True)
class AttackTask:
    """A job of kind evaluate on one dataset of the graph, of which attacks and smoothing are given.

    Attributes
    ----------
    training, dataset : names of their nodes
    attacks : as in the job
    rho : strengths of smoothing; 0 is the network itself
    """

    training: str
    dataset: str
    attacks: Mapping[str, Mapping[str, Any]] = field(hash=False)
    rho: Sequence[float]
    kind: ClassVar[str] = "attack"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, dataset, attacks and smoothing."""
        job = self._job("folder", needs).model_dump(include={"seed", "attacks", "smoothing"})
        return digest({"network": needs[self.training].identity, "dataset": needs[self.dataset].identity, "job": job})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write the accuracy, 0 to 1, by rho and attack; the evaluation with its page lies beside it."""
        from passband.jobs.evaluation.run import evaluate

        def checkpoint() -> None:
            if stopped():
                raise SystemExit(1)

        found = evaluate(self._job(f"{folder}/evaluation", needs), checkpoint=checkpoint)
        by_rho: dict[str, dict[str, float]] = {}
        for row in found.rows:
            name = row.family if row.kind == "attack" else CLEAN
            by_rho.setdefault(f"{row.smoothing or 0:g}", {})[name] = row.accuracy
        results = {"kind": self.kind, "accuracy": by_rho}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results

    def _job(self, folder: str, needs: Mapping[str, Made]) -> Any:
        from passband.jobs.evaluation.spec import parse_evaluate_job

        return parse_evaluate_job(
            {
                "kind": "evaluate",
                "name": self.training,
                "checkpoint": needs[self.training].path,
                "test": {"path": needs[self.dataset].path},
                "attacks": self.attacks,
                "smoothing": {"rho": list(self.rho)},
                "output": {"uri": folder},
                "compute": {"device": "cpu", "threads": 1, "workers": 1},
            }
        )
