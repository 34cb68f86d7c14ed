"""How near augmented views come to corruptions, to a trained network: measured in a worker process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.analyzing import analyzed
from passband.jobs.reproduce.graph import Made, Stopped
from passband.jobs.reproduce.references import with_identities
from passband.pipeline.canonical import digest

_VERSION = 1


@dataclass(frozen=True)
class CoverageTask:
    """A job of kind analyze: the coverage of corruptions in the embedding of a training's network.

    Attributes
    ----------
    job : the job without ``output`` and ``compute``; its ``surrogate.checkpoint`` is ``@TRAINING``
    """

    job: Mapping[str, Any] = field(hash=False)
    kind: ClassVar[str] = "coverage"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, images, recipes, corruptions, and the versions of all stages."""
        from passband.jobs.analysis.options import CoverageOptions
        from passband.pipeline.augment import AUGMENTATIONS
        from passband.pipeline.surrogate.options import SurrogateOptions

        job, options = with_identities(self.job, needs), CoverageOptions.model_validate(self.job["coverage"])
        job["coverage"] = options.model_dump()
        job["surrogate"] = SurrogateOptions.model_validate(job["surrogate"]).model_dump()
        used = {"corrupt", *(stage for entry in options.views for stage, _ in entry.recipe())}
        versions = {stage: AUGMENTATIONS[stage].version for stage in sorted(used)}
        return digest({"version": _VERSION, "what": "coverage", "stages": versions, "job": job})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write a row a recipe and the distances of every image, or go on with blocks of images."""
        return analyzed(self.job, "coverage", folder, needs, stopped)
