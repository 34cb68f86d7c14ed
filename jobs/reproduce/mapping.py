"""Maps of the spatial frequencies that a trained network is sensitive to, made in a worker process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.analyzing import analyzed
from passband.jobs.reproduce.graph import Made, Stopped
from passband.jobs.reproduce.references import with_identities
from passband.pipeline.canonical import digest

_VERSION = 1


@dataclass(frozen=True)
class SensitivityTask:
    """A job of kind analyze: the sensitivity maps of a training's network.

    Attributes
    ----------
    job : the job without ``output`` and ``compute``; its ``surrogate.checkpoint`` is ``@TRAINING``
    """

    job: Mapping[str, Any] = field(hash=False)
    kind: ClassVar[str] = "map"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, images and options."""
        from passband.pipeline.surrogate.options import SensitivityOptions, SurrogateOptions

        job = with_identities(self.job, needs)
        given = {key: job[key] for key in SensitivityOptions.model_fields if key in job}
        job |= SensitivityOptions.model_validate(given).model_dump()
        job["surrogate"] = SurrogateOptions.model_validate(job["surrogate"]).model_dump()
        return digest({"version": _VERSION, "job": job})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write maps, pictures and the maps' mean l1 norms, or go on with blocks of frequencies."""
        return analyzed(self.job, "sensitivity", folder, needs, stopped)
