"""The end of what a training logged of its steps, such as the share of FGMix's mixtures that extrapolate."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_VERSION = 1


@dataclass(frozen=True)
class LoggedTask:
    """The mean of a number over the last lines of a training's log that have it.

    Attributes
    ----------
    training : name of its node
    quantity : what the log calls the number
    lines : how many, from the last
    """

    training: str
    quantity: str
    lines: int
    kind: ClassVar[str] = "logged"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of the training and of what is looked up."""
        return digest({"version": _VERSION, **asdict(self), "training": needs[self.training].identity})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write the mean; raise PassbandError where fewer lines have the number."""
        from passband.jobs.training.log import read_metrics

        place = needs[self.training].path
        found = [line[self.quantity] for line in read_metrics(Path(place)) if self.quantity in line][-self.lines :]
        if len(found) < self.lines:
            raise PassbandError(
                f"{place}: has logged {self.quantity} {len(found)} times, not {self.lines}; delete it, and the same "
                "command trains it again"
            )
        results = {"kind": self.kind, "mean": fmean(found)}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results
