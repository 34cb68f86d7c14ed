"""Stage `deepfool`: the nearest decision boundary of a frozen model, in the l2 norm."""

import numpy as np

from passband.pipeline.augment.attacked import Attacked, AttackOptions, AttackStage, Images, Integers


class DeepFoolOptions(AttackOptions):
    """Which model is attacked, and towards what."""


class DeepFoolStage(AttackStage):
    """Move each sample over the nearest decision boundary (Moosavi-Dezfooli, Fawzi & Frossard 2016; METHODS 8.1).

    Examples
    --------
    After the example of `Stage`, with an untrained network for a model.

    >>> from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
    >>> from passband.pipeline.surrogate.options import SurrogateOptions
    >>> spec = NetworkSpec(kind="lenet", shape=[1, 16, 16], classes=["0", "1"], mean=[0.5], std=[0.25])
    >>> inputs = {"surrogate": network_bytes(build_network(spec, seed=3))}
    >>> options = DeepFoolOptions(surrogate=SurrogateOptions(network="lenet", checkpoint="model.pt"))
    >>> stage = DeepFoolStage(options, shape=shape, kernels=kernels, inputs=inputs, classes=spec.classes)
    >>> recorded = stage.apply(images, labels, draws).recorded
    >>> recorded["changed"].tolist(), bool((recorded["distance"] < 0.2).all())
    ([True, True], True)
    """

    name = "deepfool"
    version = 2
    Options = DeepFoolOptions
    options: DeepFoolOptions

    def _attack(self, images: Images, low: Images, high: Images, targets: Integers | None) -> Attacked:
        attack = self._deepfool()
        found = attack.run(images, targets, (low, high))
        moved = images + np.float32(1 + attack.overshoot) * found.perturbations
        return Attacked(moved.clip(low, high), {"steps": found.steps.astype(np.uint16)})
