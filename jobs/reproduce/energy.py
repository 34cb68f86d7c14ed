"""How the energy of views is spread over frequencies: measured in a worker process, on images alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.analyzing import analyzed
from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest

_VERSION = 1


@dataclass(frozen=True)
class EnergyTask:
    """A job of kind analyze: the spectra of views, which need no network.

    Attributes
    ----------
    job : the job without ``output`` and ``compute``
    """

    job: Mapping[str, Any] = field(hash=False)
    kind: ClassVar[str] = "energy"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of images, recipes, subspaces, and the versions of all stages."""
        from passband.jobs.analysis.options import SpectrumOptions
        from passband.pipeline.augment import AUGMENTATIONS

        options = SpectrumOptions.model_validate(self.job["spectrum"])
        used = {stage for entry in options.views for stage, _ in entry.recipe()}
        versions = {stage: AUGMENTATIONS[stage].version for stage in sorted(used)}
        job = {**self.job, "spectrum": options.model_dump()}
        return digest({"version": _VERSION, "what": "spectrum", "stages": versions, "job": job})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write a row a recipe, energy and subspace, and the shares of every view, or go on with blocks of views."""
        return analyzed(self.job, "spectrum", folder, needs, stopped)
