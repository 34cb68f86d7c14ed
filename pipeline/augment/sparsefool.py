"""Stage `sparsefool`: few pixels changed, so that a frozen model errs."""

import numpy as np
from pydantic import Field

from passband.pipeline.augment.attacked import Attacked, AttackOptions, AttackStage, Images, Integers


class SparseFoolOptions(AttackOptions):
    """Which model is attacked, towards what, and how far over its boundaries."""

    lam: float = Field(3.0, ge=1, le=100, description="lambda: how far over the boundary the plane lies; 1 on MNIST")
    rounds: int = Field(20, ge=1, le=1000, description="linear problems solved, at most")


class SparseFoolStage(AttackStage):
    """Change few pixels of each sample until the model errs (Modas, Moosavi-Dezfooli & Frossard 2019; METHODS 8.2).

    Of each sample ``rounds`` is recorded as well: the linear problems that were solved.

    Examples
    --------
    After the example of `Stage`, with an untrained network for a model.

    >>> from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
    >>> from passband.pipeline.surrogate.options import SurrogateOptions
    >>> spec = NetworkSpec(kind="lenet", shape=[1, 16, 16], classes=["0", "1"], mean=[0.5], std=[0.25])
    >>> inputs = {"surrogate": network_bytes(build_network(spec, seed=3))}
    >>> options = SparseFoolOptions(surrogate=SurrogateOptions(network="lenet", checkpoint="model.pt"))
    >>> stage = SparseFoolStage(options, shape=shape, kernels=kernels, inputs=inputs, classes=spec.classes)
    >>> recorded = stage.apply(images, labels, draws).recorded
    >>> recorded["changed"].tolist(), bool((recorded["pixels"] < 16 * 16).all())
    ([True, True], True)
    """

    name = "sparsefool"
    version = 2
    Options = SparseFoolOptions
    options: SparseFoolOptions

    def _attack(self, images: Images, low: Images, high: Images, targets: Integers | None) -> Attacked:
        from passband.pipeline.attacks.sparsefool import SparseFool  # torch

        options = self.options
        attack = SparseFool(self._deepfool(), options.lam, options.rounds, options.overshoot)
        found = attack.run(images, low, high, targets)
        most = np.iinfo(np.uint16).max
        steps, rounds = (values.clip(max=most).astype(np.uint16) for values in (found.steps, found.rounds))
        return Attacked(found.images, {"steps": steps, "rounds": rounds})
