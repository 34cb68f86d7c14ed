"""What a training watched as it went, read from its log: accuracy, or what else was measured, by view and epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore


def epoch_name(epoch: int) -> str:
    """Return what the results call the end of an epoch, counted from 1."""
    return f"epoch {epoch}"


_ACCURACY = {"accuracy": "accuracy/train"}


@dataclass(frozen=True)
class WatchedTask:
    """The accuracies of a training with `watch`, or other quantities that it logged.

    Attributes
    ----------
    training : name of the training's node
    views : those that are watched
    epochs : after which they are looked up, counted from 1
    quantities : name in the results -> what the log calls it, before the name of the view
    """

    training: str
    views: tuple[str, ...]
    epochs: tuple[int, ...]
    quantities: Mapping[str, str] = field(hash=False, default_factory=lambda: _ACCURACY)
    kind: ClassVar[str] = "watched"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of the training and of what is looked up."""
        others = {} if self.quantities == _ACCURACY else {"quantities": self.quantities}
        return digest({"training": needs[self.training].identity, "views": self.views, "epochs": self.epochs} | others)

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write each quantity, accuracies as 0 to 1, of each view after each epoch."""
        from passband.jobs.training.log import read_metrics

        place = needs[self.training].path
        first = f"{next(iter(self.quantities.values()))}/{self.views[0]}"
        lines = {line["epoch"] + 1: line for line in read_metrics(Path(place)) if first in line}
        try:
            found = {
                name: {
                    view: {epoch_name(epoch): lines[epoch][f"{logged}/{view}"] for epoch in self.epochs}
                    for view in self.views
                }
                for name, logged in self.quantities.items()
            }
        except KeyError as error:
            raise PassbandError(
                f"{place}: has not watched {error}; delete it, and the same command trains it again"
            ) from error
        results = {"kind": self.kind, **found}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results
