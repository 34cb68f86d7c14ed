"""What the nodes of a reproduction do: train a network, measure its accuracies. Each runs in a worker process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import Made, Stopped
from passband.jobs.reproduce.references import referenced, with_paths
from passband.jobs.training.spec import TrainJob, parse_train_job
from passband.pipeline.canonical import digest
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import RESULTS, kept_name
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_EVALUATION_VERSION = 1
_BATCH = 256


@dataclass(frozen=True)
class TrainingTask:
    """A job of kind train on one dataset of the graph.

    Attributes
    ----------
    job : the job without places: neither ``data.path`` nor ``output.uri``; ``network.checkpoint`` may be
        ``@TRAINING``, and the paths in ``evaluate``, which shape no weight, ``@DATASET``
    data : name of the dataset's node
    """

    job: Mapping[str, Any] = field(hash=False)
    data: str
    kind: ClassVar[str] = "training"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the identity of the training job on this dataset, and of the training that it begins with."""
        shaping = {key: value for key, value in self.job.items() if key != "evaluate"}
        before = [needs[name].identity for name in referenced(shaping)]
        network = {key: value for key, value in self.job["network"].items() if not (before and key == "checkpoint")}
        identity = self._complete("folder", needs, network=network).identity(needs[self.data].identity)
        return digest({"training": identity, "begins with": before}) if before else identity

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Train, or go on from the last checkpoint."""
        from passband.jobs.training.run import train

        return train(self._complete(folder, needs), stopped=stopped)

    def _complete(self, folder: str, needs: Mapping[str, Made], **changes: Any) -> TrainJob:
        # One thread each: a sum's order, and so the last bits of the weights, depend on how many threads share it.
        return parse_train_job(
            {
                **with_paths({**self.job, **changes}, needs),
                "kind": "train",
                "data": {**self.job.get("data", {}), "path": needs[self.data].path},
                "output": {"log_every_steps": 1_000_000, **self.job.get("output", {}), "uri": folder,
                           "tensorboard": False},
                "compute": {"device": "cpu", "threads": 1, "workers": 1},
            }
        )  # fmt: skip


def kept_model(training: Made, step: int, what: str = "model") -> str:
    """Return the file of a network that a training has kept of a step; raise PassbandError where there is none."""
    store, name = LocalStore(training.path), kept_name(step, what)
    if not store.exists(name):
        raise PassbandError(
            f"{training.path}: has not kept step {step}; delete it, and the same command trains it again"
        )
    return str(store.path(name))


@dataclass(frozen=True)
class EvaluationTask:
    """Accuracies of a trained network on views of datasets of the graph.

    Attributes
    ----------
    training : name of the training's node
    views : name of a dataset's node -> views of it
    adapt : `prior` and `batch` of batch norms that are adapted to the test samples, each view by itself; None: as
        trained
    step : of the training, whose kept network is measured; None: the network that it ends with
    """

    training: str
    views: Mapping[str, tuple[str, ...]] = field(hash=False)
    adapt: Mapping[str, int] | None = field(hash=False, default=None)
    step: int | None = None
    kind: ClassVar[str] = "evaluation"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, datasets and views, and of how it is adapted."""
        looked_at = [[needs[name].identity, list(views)] for name, views in self.views.items()]
        form = {"version": _EVALUATION_VERSION, "network": needs[self.training].identity, "views": looked_at}
        form |= {} if self.adapt is None else {"adapt": dict(self.adapt)}
        return digest(form if self.step is None else form | {"step": self.step})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write the share of correct samples, 0 to 1, of each dataset and view."""
        import torch

        from passband.jobs.training.predict import predict

        torch.set_num_threads(1)
        trained = needs[self.training]
        classifiers, batch = self._classifiers(trained.path if self.step is None else kept_model(trained, self.step))
        found = {
            name: predict(classifiers, needs[name].path, views, batch_size=batch, workers=1)
            for name, views in self.views.items()
        }
        results = {
            "kind": "evaluation",
            "samples": {name: len(next(iter(views.values())).labels) for name, views in found.items()},
            "accuracy": {
                name: {view: float(seen.correct.mean()) for view, seen in views.items()}
                for name, views in found.items()
            },
        }
        put_sealed(LocalStore(folder), RESULTS, results)
        return results

    def _classifiers(self, path: str) -> tuple[Callable[[str], Any], int]:
        """Return view -> what classifies it, and how many samples that takes at once."""
        from passband.jobs.evaluation.adapt import AdaptedClassifier, adapted
        from passband.jobs.evaluation.spec import Adaptation
        from passband.pipeline.networks.network import load_network

        network = load_network(path)
        if self.adapt is None:
            return lambda view: network, _BATCH
        adaptation = Adaptation.model_validate(self.adapt)
        changed = adapted(network, adaptation)
        return lambda view: AdaptedClassifier(changed, adaptation), -(-_BATCH // adaptation.batch) * adaptation.batch
