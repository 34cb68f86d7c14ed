"""PRIME against AugMix, how many stored copies come near fresh ones, and what its parts are worth (Modas 2022)."""

from collections.abc import Iterator, Sequence
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import Measure, Recipe
from passband.jobs.reproduce.recipes import insights
from passband.jobs.reproduce.recipes.insights.bench import (
    BATCH,
    CORRUPTED,
    CORRUPTIONS,
    JSD,
    QUICK_SEVERITIES,
    RATE,
    SETTINGS,
    TABLE,
    Bench,
    Setting,
    copies,
    enlarged,
    primed,
)
from passband.jobs.reproduce.recipes.parts import CLEAN, SEVERITIES, Nodes
from passband.jobs.reproduce.rows import Block, Table

COPIES, QUICK_COPIES = tuple(range(1, 11)), (1, 4, 10)
FRESH = "fresh"
FIRST, STUDY = "methods", "copies"
QUICK_SEEDS, SEEDS = 1, 3


def prime(quick: bool, seeds: int | None) -> Recipe:
    """Return the reproduction of PRIME's comparison and of the studies of it."""
    number = seeds or (QUICK_SEEDS if quick else SEEDS)
    nodes = Nodes()
    measures = [
        measure for seed in range(number) for setting in SETTINGS for measure in _one_seed(nodes, setting, seed, quick)
    ]
    return Recipe(
        name="prime",
        title="PRIME: clean and corrupted accuracy",
        source="After Modas 2022, chapter 5 (arXiv 2112.13547), on small real data",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(_tables(quick)),
        settings=_settings(quick),
        findings=FINDINGS,
        observe=observe,
        published=tuple(row for setting in SETTINGS for row in insights.published(setting.images.name)),
    )


def _one_seed(nodes: Nodes, setting: Setting, seed: int, quick: bool) -> Iterator[Measure]:
    bench = Bench(nodes, setting, seed, quick)
    stored = bench.dataset("prime", primed(max(COPIES)))
    mixed = bench.dataset("augmix", [{"augmix": {}, "copies": 2, "name": "augmix"}])
    fresh = bench.dataset("prime-fresh", primed(bench.long_epochs))
    yield bench.measure(FIRST, "ERM", stored, objective={"kind": "erm"}, data={"views": [CLEAN]})
    mixture = {"views": [CLEAN, "augmix-1", "augmix-2"]}
    yield bench.measure(FIRST, "AugMix + JSD", mixed, passes=3, objective=JSD, data=mixture)
    both = {"views": [CLEAN, *copies(2)]}
    yield bench.measure(FIRST, "PRIME + JSD", stored, passes=3, objective=JSD, data=both)
    for number in QUICK_COPIES if quick else COPIES:
        yield bench.measure(STUDY, f"k = {number}", stored, long=True, **enlarged(number))
    each = {"views": copies(bench.long_epochs), "views_by_epoch": True}
    yield bench.measure(STUDY, FRESH, fresh, long=True, objective={"kind": "erm"}, data=each)
    yield from insights.measures(bench, stored)


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return what the figures say: what AugMix and PRIME add to ERM, and what k copies reach of fresh ones."""
    found = []
    for block in blocks:
        means = {method: rows[1].mean for method, rows in block.methods.items() if len(rows) == 2 and rows[1]}
        name = block.table.where["dataset"]
        if {"ERM", *_AGAINST_ERM} <= set(means):
            gains = (f"{method} {means[method] - means['ERM']:+.1f}" for method in _AGAINST_ERM)
            found.append(f"{name}: against ERM's {means['ERM']:.1f} under corruption, {' and '.join(gains)} points.")
        elif FRESH in means and len(means) > 1:
            gaps = (f"{m} {mean - means[FRESH]:+.1f}" for m, mean in means.items() if m != FRESH)
            found.append(f"{name}: against {means[FRESH]:.1f} under corruption with fresh views, {', '.join(gaps)}.")
        found += insights.observe(block)
    return found


_AGAINST_ERM = ("AugMix + JSD", "PRIME + JSD")


def _settings(quick: bool) -> dict[str, Any]:
    severities = QUICK_SEVERITIES if quick else SEVERITIES
    return {
        "corrupted": f"mean over 15 corruptions x severities {', '.join(map(str, severities))}",
        "table of constants": TABLE,
        "network": "lenet",
        "optimizer": f"Adam, rate {RATE}, cosine schedule, no weight decay, batches of {BATCH} samples",
        "jsd": "clean + 2 stored views, weight 12",
        "steps": "of so many passes over the clean images, the same for every training of an image source; more for "
        "the study of k copies",
        "k copies": "ERM on the set of the clean images and k stored views of each, all shuffled together",
        "fresh": "ERM on another PRIME view each epoch",
        "seeds": "of the weights and the order; the stored views are the same for all",
        "images": {
            setting.images.name: {
                "size": setting.images.size,
                "epochs": setting.quick_epochs if quick else setting.epochs,
                "epochs of the study of k copies": setting.quick_epochs if quick else setting.long_epochs,
            }
            for setting in SETTINGS
        },
        **insights.settings(quick),
        "how chosen": list(CHOICE),
    }


def _tables(quick: bool) -> Iterator[Table]:
    summary = ((CLEAN, "clean"), (CORRUPTED, "corr"))
    by_type = (*CORRUPTIONS.items(), (CORRUPTED, "corr"))
    for setting in SETTINGS:
        name = setting.images.name
        methods = {"study": FIRST, "dataset": name}
        yield Table(f"{name}: clean and corrupted", methods, summary)
        yield Table(f"{name}: by corruption", methods, by_type, "corruption")
        yield Table(f"{name}: k stored copies, or fresh ones", {"study": STUDY, "dataset": name}, summary)
        yield from insights.tables(name, setting.images.size, quick)


CHOICE: tuple[str, ...] = (
    "Network, sizes and epochs were chosen for the time that they take, before anything was measured; nothing was "
    "tuned for one of the methods.",
)
FINDINGS: tuple[str, ...] = (
    "The thesis has PRIME first on the mean of all corruptions.",
    "Stored copies are trained on as in the thesis, as a set of k + 1 times as many images, shuffled.",
)
