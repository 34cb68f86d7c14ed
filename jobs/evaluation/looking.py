"""The network that is evaluated, as it is and with smoothed kernels, and its predictions, kept as they come."""

from collections.abc import Callable, Sequence
from typing import Any

from passband.jobs.evaluation.adapt import AdaptedClassifier, adapted
from passband.jobs.evaluation.attack import predict_attacked
from passband.jobs.evaluation.conditions import Condition
from passband.jobs.evaluation.spec import EvaluateJob
from passband.jobs.evaluation.stored import StoredPredictions
from passband.jobs.training.predict import Classify, Predictions, predict
from passband.jobs.training.processes import choose_device
from passband.pipeline.networks.network import Network
from passband.pipeline.networks.smoothing import smoothed


class Looker:
    """Predicts on the views of datasets what was not predicted before.

    Raises
    ------
    PassbandError
        If the network has nothing to adapt or to smooth.
    """

    def __init__(self, network: Network, job: EvaluateJob, kept: StoredPredictions) -> None:
        self._job, self._kept, self._plain = job, kept, network
        self._device = choose_device(job.compute.device)
        rho = job.smoothing.strengths() if job.smoothing is not None else []
        self._network(rho[0] if rho else None)  # what cannot be is told before anything is predicted

    def look(
        self, path: str, identity: str, conditions: Sequence[Condition], tell: Callable[[str], None]
    ) -> list[Predictions]:
        """Return the predictions under some conditions of one dataset, in their order.

        Parameters
        ----------
        path, identity : of the dataset
        tell : called with what is done next, where that takes long
        """
        found: dict[Condition, Predictions] = {}
        for rho in dict.fromkeys(condition.smoothing for condition in conditions):
            own = [condition for condition in conditions if condition.smoothing == rho]
            plain = [condition for condition in own if condition.kind != "attack"]
            views = self._views(path, identity, list(dict.fromkeys(c.view for c in plain)), rho)
            found |= {condition: views[condition.view] for condition in plain}
            for condition in own:
                if condition.kind == "attack":
                    tell(condition.name)
                    found[condition] = self._attacked(path, identity, condition)
        return [found[condition] for condition in conditions]

    def _views(self, path: str, identity: str, views: Sequence[str], rho: float | None) -> dict[str, Predictions]:
        """Return the predictions on some views, those that are missing in one pass over the samples."""
        how = self._how(rho)
        found = {view: self._kept.read(identity, view, how) for view in views}
        there = {view: predictions for view, predictions in found.items() if predictions is not None}
        missing = [view for view in views if view not in there]
        if missing:
            compute, together = self._job.compute, self._job.adapt.batch if self._job.adapt else 1
            batch_size = max(1, compute.batch_size // together) * together  # whole groups for the adaptation
            classifiers = self._classifiers(rho)
            made = predict(
                classifiers, path, missing, batch_size=batch_size, device=self._device, workers=compute.workers
            )
            for view, predictions in made.items():
                self._kept.write(identity, view, predictions, how)
            there |= made
        return there

    def _attacked(self, path: str, identity: str, condition: Condition) -> Predictions:
        """Return the predictions under an attack."""
        attack, compute = self._job.attacks[condition.family], self._job.compute
        how = self._how(condition.smoothing, condition.family)
        if (found := self._kept.read(identity, condition.view, how)) is not None:
            return found
        made = predict_attacked(
            self._network(condition.smoothing),
            path,
            condition.view,
            attack,
            self._job.seed,
            batch_size=compute.batch_size,
            device=self._device,
            workers=compute.workers,
        )
        self._kept.write(identity, condition.view, made, how)
        return made

    def _how(self, rho: float | None, attack: str | None = None) -> dict[str, Any] | None:
        """Return what predictions depend on beside dataset, view, weights and adaptation."""
        how: dict[str, Any] = {}
        if rho is not None and self._job.smoothing is not None:
            how["smoothing"] = [rho, self._job.smoothing.axes]
        if attack is not None:
            asked = self._job.attacks[attack]
            how["attack"] = [asked.model_dump(), self._job.seed if asked.random_start else None]
        return how or None

    def _classifiers(self, rho: float | None) -> Callable[[str], Classify]:
        """Return what makes the classifier of a view."""
        network, adaptation = self._network(rho), self._job.adapt
        if adaptation is None:
            return lambda view: network
        return lambda view: AdaptedClassifier(network, adaptation)

    def _network(self, rho: float | None) -> Network:
        """Return the network on its device, with smoothed kernels and adapted as the job asks."""
        network = self._plain
        if rho is not None and self._job.smoothing is not None:
            network = smoothed(network, rho, self._job.smoothing.axes)
        if self._job.adapt is not None:
            network = adapted(network, self._job.adapt)
        return network.to(self._device)
