"""Margins of a trained network along the diagonal of the DCT, measured in a worker process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.analyzing import analyzed
from passband.jobs.reproduce.graph import Made, Stopped
from passband.jobs.reproduce.references import with_identities
from passband.pipeline.canonical import digest

_VERSION = 1


@dataclass(frozen=True)
class DiagonalTask:
    """A job of kind analyze: the margins of a training's network within subspaces.

    Attributes
    ----------
    job : the job without ``output`` and ``compute``; its ``surrogate.checkpoint`` is ``@TRAINING``
    """

    job: Mapping[str, Any] = field(hash=False)
    kind: ClassVar[str] = "diagonal"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, images, the stages that these go through, and options."""
        from passband.jobs.analysis.options import MarginOptions
        from passband.pipeline.augment import AUGMENTATIONS
        from passband.pipeline.surrogate.options import SurrogateOptions

        job = with_identities(self.job, needs)
        job["margins"] = MarginOptions.model_validate(job.get("margins", {})).model_dump()
        job["surrogate"] = SurrogateOptions.model_validate(job["surrogate"]).model_dump()
        stages = [name for entry in job.get("base", ()) for name in entry if name in AUGMENTATIONS]
        versions = {name: AUGMENTATIONS[name].version for name in stages}
        return digest({"version": _VERSION, "what": "margins", "stages": versions, "job": job})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write the margins of every image, and a row a subspace, or go on with blocks of pairs."""
        return analyzed(self.job, "margins", folder, needs, stopped)
