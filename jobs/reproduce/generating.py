"""Datasets whose views need what other nodes make, such as the network that SADA attacks: made in a worker process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import Made, Stopped
from passband.jobs.reproduce.references import with_identities, with_paths
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS
from passband.pipeline.records import FORMAT
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore


@dataclass(frozen=True)
class GenerationTask:
    """A job of kind generate that names other nodes; its folder is a dataset like any other.

    Attributes
    ----------
    job : the job, its output's place left out; ``@NODE`` stands for the folder of a training or of a map
    """

    job: Mapping[str, Any] = field(hash=False)
    kind: ClassVar[str] = "generation"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of the resolved job, the nodes in it by their identities, and the versions of its stages.

        It tells apart what this graph makes; the dataset has an identity of its own, of files and images.
        """
        from passband.jobs.dataset.spec import parse_job
        from passband.pipeline.augment import AUGMENTATIONS

        job = parse_job(with_identities({**self.job, **_placed(self.job, "folder")}, needs))
        form = job.resolved()
        del form["compute"], form["output"]["uri"], form["output"]["formats"]
        for key in {"members", "cls"} - job.output.model_fields_set:  # younger than some reproductions
            del form["output"][key]
        stages = {name: AUGMENTATIONS[name].version for _, recipe in job.recipes() for name, _ in recipe}
        return digest({"format": FORMAT, "job": form, "stages": stages})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Make the dataset, or go on with its shards."""
        from passband.jobs.dataset.spec import parse_job
        from passband.jobs.generation.run import generate

        def checkpoint() -> None:
            if stopped():
                raise SystemExit(1)

        job = parse_job(with_paths({**self.job, **_placed(self.job, folder)}, needs))
        manifest = generate(job, checkpoint=checkpoint)
        results = {"kind": "generation", "identity": manifest.identity, "samples": manifest.samples}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results


def _placed(job: Mapping[str, Any], folder: str) -> dict[str, Any]:
    return {
        "kind": "generate",
        "output": {**job.get("output", {}), "uri": folder},
        "compute": {"executor": "inline", "workers": 1, "threads": 1},
    }
