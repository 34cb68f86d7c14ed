"""FGMix's tables and figures as one graph."""

from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import Measure, Recipe, SurfacePicture
from passband.jobs.reproduce.recipes.fgmix.bench import Bench
from passband.jobs.reproduce.recipes.fgmix.setting import (
    DOMAINS,
    LOGGED_EVERY,
    LOGGED_LINES,
    METHODS,
    PER_DOMAIN,
    QUICK,
    RATE,
    SURFACE_DOMAIN,
    SWA_START,
    TIMED,
    WHOLE,
    Setting,
    published,
)
from passband.jobs.reproduce.recipes.fgmix.words import observe, tables
from passband.jobs.reproduce.recipes.parts import Nodes


def fgmix(quick: bool, seeds: int | None) -> Recipe:
    """Return the reproduction of the comparison, of the ablation, and of the figures, on domains of digits."""
    setting = QUICK if quick else WHOLE
    number = seeds or setting.seeds
    nodes, measures = Nodes(), list[Measure]()
    benches = [Bench(nodes, setting, seed) for seed in range(number)]
    for bench in benches:
        measures += bench.measures()
    first = benches[0]
    measures += first.single_measures()
    picture = SurfacePicture(
        f"Losses and accuracy around the paths of ERM and FGMix, without {SURFACE_DOMAIN} (figure 6)",
        first.surface(),
        f"accuracy on {SURFACE_DOMAIN}",
    )
    return Recipe(
        name="fgmix",
        title="FGMix: accuracy on a domain that is left out",
        source="After “Learning gradient-based mixup with extrapolation toward flatter minima for domain "
        "generalization”, tables 1, 2 and C.3 and figures 5 and 6, on small real data",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(tables(setting)),
        settings=_settings(setting),
        findings=CHOICE,
        observe=observe,
        surfaces=(picture,),
        published=published(setting),
    )


def _settings(setting: Setting) -> dict[str, Any]:
    return {
        "domains": {one.name: f"{one.train_samples} to train on, {one.test_samples} held out" for one in DOMAINS},
        "trained on": "the domains that are not left out, 80 % of each; batches hold every class of each equally often",
        "left out": "measured on the 20 % that are held out of it, as mnist_m and inverted have the digits of mnist5k",
        "images": "32 pixels, three channels",
        "network": "lenet, from random weights",
        "optimizer": f"Adam, rate {RATE}, constant, no weight decay, {PER_DOMAIN} images of each domain",
        "steps": setting.steps,
        "mixing begins": f"at step {setting.start}, for FGMix and its variants",
        "objectives": {method: dict(options) for method, options in METHODS.items()},
        "averaged weights": f"after each epoch from {SWA_START:.0%} of the training on; of one training with the "
        "weights that are not averaged, which averaging does not move",
        "flatness": f"{setting.directions} directions of all weights, the same for all; the loss of {setting.images} "
        "images of the domains trained on, for A, C and FGMix the mean of theirs and their mixtures'; mixtures are "
        "weighed once, by what is learned at the last step",
        "extrapolation": f"share of the mixtures with a negative weight, over the last {LOGGED_LINES} steps of those "
        f"that are logged, every {LOGGED_EVERY}th",
        "surfaces": f"without {SURFACE_DOMAIN}, seed 0: the plane of the first weights and of both ends of averaged "
        f"weights, {setting.points} x {setting.points} points; paths every {setting.path} steps; mixtures as above",
        "table C.3": f"seed 0, the mean over {', '.join(setting.sensitive)} left out",
        "time": "of a step in milliseconds of one core, the median of blocks that take turns, on "
        + ", ".join(f"{network} ({count} images of each domain)" for network, (count, _) in TIMED.items())
        + "; it is of this machine and another one in every run",
        "seeds": "of the weights, the order and what is drawn",
    }


CHOICE: tuple[str, ...] = (
    "Nothing was tuned on the domain that is left out: FGMix has the defaults of its options, as the other objectives, "
    "and Mixup DomainBed's share, Beta(0.2, 0.2).",
    "The paper trains ResNet-50 from ImageNet's weights on photographs; LeNet from random weights is another regime, "
    "in which codes are still learned when mixing begins.",
    "It selects rate, dropout, weight decay, a, gamma and lambda on held-out images of the training domains. Here "
    "these are measured and shown, and every method has one setting.",
    "The paper finds mixing by A and C sharper and FGMix flatter than ERM (figure 5), FGMix with averaged weights "
    "ending at a higher accuracy on the domain left out (figure 6), a small lambda best for a = 1 and a larger one "
    "from 3 on (table C.3), about 22.5 % of the mixtures extrapolating, and a step 1.1 times as long as ERM's.",
)
