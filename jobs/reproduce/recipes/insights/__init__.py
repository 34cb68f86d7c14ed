"""What PRIME's parts are worth (Modas 2022, 5.3.3 and 5.4): primitives, strength, coverage, energy, adaptation."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from passband.jobs.reproduce.recipe import CoverageOf, ImagesSeen, Measure, MedianEnergy, Seen
from passband.jobs.reproduce.recipes.insights.bench import (
    CORRUPTED,
    GROUPS,
    JSD,
    QUICK_SEVERITIES,
    TABLE,
    Bench,
    enlarged,
    primed,
)
from passband.jobs.reproduce.recipes.parts import CLEAN, SEVERITIES, corrupted
from passband.jobs.reproduce.rows import DISTANCE, IMAGES, Block, Row, Table

PRIMITIVES, STRENGTH, COVERAGE, ADAPTATION = "primitives", "strength", "coverage", "adaptation"
ENERGY = "spectral energy"
STORED = 4
"""Copies that the networks of the first two studies are trained on: what the thesis finds sufficient (5.4.4)."""
SUBSETS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "w": ("spectral",),
    "t": ("spatial",),
    "c": ("color",),
    "w + t": ("spectral", "spatial"),
    "w + c": ("spectral", "color"),
    "t + c": ("spatial", "color"),
    "w + t + c": ("spectral", "spatial", "color"),
}
QUICK_SUBSETS = ("none", "w", "t", "c", "w + t + c")
STRENGTHS = ("0.01", "0.03", "0.1", "0.3", "1", "3", "10", "30", "100")
QUICK_STRENGTHS = ("0.1", "1", "10")
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "none (clean)": {},
    "AugMix, not mixed": {"augmix": {"mix": False}},
    "PRIME, not mixed": {"prime": {"preset": "cifar", "mix": False}},
    "AugMix": {"augmix": {}},
    "PRIME": {"prime": {"preset": "cifar"}},
}
SPECTRA: Mapping[str, Mapping[str, Any]] = {
    "AugMix": {"augmix": {}},
    "PRIME": {"prime": {"preset": "cifar"}},
    "noise": corrupted("gaussian_noise", 3, TABLE),
    "blur": corrupted("defocus_blur", 3, TABLE),
    "fog": corrupted("fog", 3, TABLE),
}
BAND = 4
"""Frequencies, each way, of a subspace of the spectra, and from one to the next: they do not overlap."""
ADAPTED: Mapping[str, Mapping[str, int] | None] = {
    "as trained": None,
    "single": {"prior": 16, "batch": 1},
    "partial": {"prior": 16, "batch": 8},
    "full": {"prior": 0, "batch": 400},
}
CLEAN_SINGLE = "clean, single"
THESIS = "thesis, "
PUBLISHED: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    PRIMITIVES: {
        "none": (88.0, 49.7, 27.3, 48.6, 54.8, 62.6),
        "w": (87.3, 64.1, 60.7, 55.4, 66.6, 72.9),
        "t": (87.0, 53.8, 30.1, 56.2, 57.6, 65.4),
        "c": (86.9, 59.9, 67.4, 52.6, 54.4, 67.1),
        "w + t": (87.7, 64.5, 58.5, 57.3, 66.8, 73.9),
        "w + c": (87.1, 67.5, 77.2, 55.7, 65.3, 74.2),
        "t + c": (86.2, 63.3, 74.7, 57.4, 56.2, 67.8),
        "w + t + c": (87.1, 68.8, 78.8, 58.3, 66.0, 74.8),
    },
    COVERAGE: {
        "none (clean)": (25.38, 6.44),
        "AugMix, not mixed": (20.57, 3.56),
        "PRIME, not mixed": (10.61, 1.88),
        "AugMix": (17.48, 2.61),
        "PRIME": (7.71, 1.61),
    },
    ADAPTATION: {
        "ERM": (49.7, 53.8, 62.0, 63.9, 88.1),
        "AugMix": (60.7, 65.5, 71.3, 73.0, 88.3),
        "PRIME": (71.6, 73.5, 75.3, 76.6, 85.7),
    },
}
"""Tables 5.5, 5.6 and 5.4: ImageNet-100 with ResNet-18, ImageNet with SimCLRv2."""
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    PRIMITIVES: (CLEAN, CORRUPTED, *GROUPS),
    COVERAGE: ("mean", "median"),
    ADAPTATION: (*ADAPTED, CLEAN_SINGLE),
}


def measures(bench: Bench, clean: str) -> Iterator[Measure]:
    """Enter all studies of an image source and a seed; yield what is told of them.

    Parameters
    ----------
    clean : name of the training set whose clean view ERM is trained on
    """
    plain: dict[str, Any] = {"objective": {"kind": "erm"}, "data": {"views": [CLEAN]}}
    erm = bench.network("ERM", clean, **plain)
    seen = {"none": bench.seen(erm)}
    for subset in QUICK_SUBSETS[1:] if bench.quick else list(SUBSETS)[1:]:
        data = bench.dataset(f"prime {subset}", primed(STORED, primitives=list(SUBSETS[subset])))
        seen[subset] = bench.seen(bench.network(f"prime {subset}", data, **enlarged(STORED)))
    yield from (bench.told(PRIMITIVES, subset, conditions) for subset, conditions in seen.items())
    yield from _strengths(bench, seen["w + t + c"])
    yield from _coverage(bench, erm)
    if bench.seed == 0:  # the views are the same for all
        yield from _spectra(bench)
    yield from _adaptations(bench, clean, plain)


def _strengths(bench: Bench, whole: Mapping[str, Sequence[Seen]]) -> Iterator[Measure]:
    by_strength: dict[str, Mapping[str, Sequence[Seen]]] = {}
    for strength in QUICK_STRENGTHS if bench.quick else STRENGTHS:
        by_strength[strength] = whole
        if strength != "1":
            data = bench.dataset(f"prime x{strength}", primed(STORED, strength=float(strength)))
            by_strength[strength] = bench.seen(bench.network(f"prime x{strength}", data, **enlarged(STORED)))
    for condition in (CLEAN, CORRUPTED):
        read = {
            name: [ImagesSeen(one.evaluation, one.dataset, one.view) for one in seen[condition]]
            for name, seen in by_strength.items()
        }
        yield bench.told(STRENGTH, condition, read)


def _coverage(bench: Bench, erm: str) -> Iterator[Measure]:
    images, number = (20, 20) if bench.quick else (100, 100)
    views = [{**stage, "copies": number, "name": f"recipe{place}"} if stage else CLEAN for place, stage in _numbered()]
    severities = list(QUICK_SEVERITIES if bench.quick else SEVERITIES)
    job = {
        "seed": 0,
        "source": {**bench.images.source, "split": "test"},
        "image": {"size": bench.images.size},
        "subset": images,
        "surrogate": {"network": "lenet", "checkpoint": f"@{erm}", "batch": 64},
        "coverage": {"views": views, "corruptions": {"severities": severities, "table": TABLE}},
    }
    node = bench.nodes.coverage(erm, job, 2.0 + images * number * 2e-3)
    for place, (name, stage) in enumerate(RECIPES.items()):
        views_name = f"recipe{place}" if stage else CLEAN
        yield bench.told(COVERAGE, name, {what: [CoverageOf(node, views_name, what)] for what in _COLUMNS[COVERAGE]})


def _numbered() -> Iterator[tuple[int, Mapping[str, Any]]]:
    return enumerate(RECIPES.values())


def _spectra(bench: Bench) -> Iterator[Measure]:
    images = _looked_at(bench.quick)
    views = [CLEAN, *({**stage, "name": f"recipe{place}"} for place, stage in enumerate(SPECTRA.values(), start=1))]
    job = {
        "seed": 0,
        "source": {**bench.images.source, "split": "train"},
        "image": {"size": bench.images.size},
        "subset": images,
        "spectrum": {"views": views, "block": BAND, "step": BAND},
    }
    node = bench.nodes.energy(f"{bench.images.name}-energy", job, 2.0 + images * len(views) * 3e-3)
    rows = [("clean", CLEAN, "own")]
    rows += [(name, f"recipe{place}", "own") for place, name in enumerate(SPECTRA, start=1) if name in _SHOWN_WHOLE]
    rows += [(f"{name} - clean", f"recipe{place}", "added") for place, name in enumerate(SPECTRA, start=1)]
    for method, recipe, energy in rows:
        bands = enumerate(_bands(bench.images.size))
        yield bench.told(ENERGY, method, {band: [MedianEnergy(node, recipe, energy, j)] for j, band in bands})


_SHOWN_WHOLE = ("AugMix", "PRIME")


def _looked_at(quick: bool) -> int:
    """Return how many images the spectra are of."""
    return 100 if quick else 500


def _bands(size: int) -> list[str]:
    """Return the frequencies of each subspace of images of that size."""
    return [f"{low}-{low + BAND - 1}" for low in range(0, size - BAND + 1, BAND)]


def _adaptations(bench: Bench, stored: str, plain: Mapping[str, Any]) -> Iterator[Measure]:
    mixed = bench.dataset("augmix", [{"augmix": {}, "copies": 2, "name": "augmix"}])
    network: dict[str, Any] = {"network": {"kind": "lenet", "batch_norm": True}}
    jsd: dict[str, Any] = {"objective": JSD, "passes": 3, **network}
    views = {name: {"views": [CLEAN, f"{name}-1", f"{name}-2"]} for name in ("augmix", "prime")}
    trainings = {
        "ERM": bench.network("ERM, batch norm", stored, **plain, **network),
        "AugMix": bench.network("AugMix, batch norm", mixed, **jsd, data=views["augmix"]),
        "PRIME": bench.network("PRIME, batch norm", stored, **jsd, data=views["prime"]),
    }
    for method, training in trainings.items():
        seen = {name: bench.seen(training, adapt) for name, adapt in ADAPTED.items()}
        conditions = {name: found[CORRUPTED] for name, found in seen.items()}
        yield bench.told(ADAPTATION, method, conditions | {CLEAN_SINGLE: seen["single"][CLEAN]})


def tables(name: str, size: int, quick: bool) -> Iterator[Table]:
    """Return the tables of an image source, whose images have `size` pixels a side."""
    groups = ((CLEAN, "clean"), (CORRUPTED, "corr"), *((group, group) for group in GROUPS))
    strengths = tuple((one, one) for one in (QUICK_STRENGTHS if quick else STRENGTHS))
    yield Table(f"{name}: primitives (table 5.5)", _where(PRIMITIVES, name), groups)
    yield Table(
        f"{name}: strength (figure 5.4)", _where(STRENGTH, name), strengths, "strength, times PRIME's", mean_last=False
    )
    distances = tuple((what, f"{what} x 1000") for what in _COLUMNS[COVERAGE])
    yield Table(f"{name}: coverage of corruptions (table 5.6)", _where(COVERAGE, name), distances)
    bands = tuple((band, band) for band in _bands(size))
    yield Table(f"{name}: spectral energy along the DCT's diagonal", _where(ENERGY, name), bands)
    adapted = tuple((one, one) for one in _COLUMNS[ADAPTATION])
    yield Table(f"{name}: adapted batch norms (table 5.4)", _where(ADAPTATION, name), adapted)


def published(name: str) -> Iterator[Row]:
    """Return the thesis's own numbers, as they stand below those of an image source."""
    for study, methods in PUBLISHED.items():
        for method, values in methods.items():
            fields = {**_where(study, name), "method": f"{THESIS}{method}"}
            for condition, value in zip(_COLUMNS[study], values, strict=True):
                yield Row(fields, condition, (value,), DISTANCE if study == COVERAGE else IMAGES)


def _where(study: str, name: str) -> dict[str, str]:
    return {"study": study, "dataset": name}


def observe(block: Block) -> list[str]:
    """Return what a table of `tables` says; nothing of others."""
    study, name = block.table.where["study"], block.table.where["dataset"]
    said = {
        PRIMITIVES: _of_primitives,
        STRENGTH: _of_strengths,
        COVERAGE: _of_coverage,
        ENERGY: _of_energy,
        ADAPTATION: _of_adaptation,
    }
    return [f"{name}: {said[study](block)}"] if study in said and block.methods else []


def _means(block: Block) -> dict[str, dict[str, float]]:
    """Return method -> condition -> mean of this run."""
    conditions = [condition for condition, _ in block.table.columns]
    return {
        method: {condition: row.mean for condition, row in zip(conditions, rows, strict=True) if row is not None}
        for method, rows in block.methods.items()
        if not method.startswith(THESIS)
    }


def _of_primitives(block: Block) -> str:
    found = _means(block)
    none = found.pop("none", {})
    gains = (
        f"{group} by {max(found, key=lambda subset: found[subset].get(group, 0.0))}" for group in (CORRUPTED, *GROUPS)
    )
    whole = found.get("w + t + c", {}).get(CORRUPTED, 0.0) - none.get(CORRUPTED, 0.0)
    return (
        f"of the subsets of primitives most is gained on {', '.join(gains)}; all three are worth {whole:+.1f} points."
    )


def _of_strengths(block: Block) -> str:
    found = _means(block)
    best = {condition: max(values, key=lambda strength: values[strength]) for condition, values in found.items()}
    return (
        f"corrupted accuracy is highest at {best.get(CORRUPTED, '-')} times PRIME's strength, clean accuracy at "
        f"{best.get(CLEAN, '-')} times (the thesis: corrupted at 0.2 on CIFAR-10, at 1 on ImageNet-100)."
    )


def _of_coverage(block: Block) -> str:
    medians = {method: values["median"] for method, values in _means(block).items() if "median" in values}
    told = ", ".join(f"{method} {value:.2f}" for method, value in sorted(medians.items(), key=lambda each: each[1]))
    return f"median distances to the nearest view, smallest first: {told}."


def _of_energy(block: Block) -> str:
    low, high = block.table.columns[0][0], block.table.columns[-1][0]
    told = (
        f"{method} {values[low]:.1f} and {values[high]:.2f}"
        for method, values in _means(block).items()
        if {low, high} <= set(values)
    )
    return (
        f"median share of energy, in percent, at frequencies {low} and {high} (white noise has "
        f"{100 / len(block.table.columns) ** 2:.1f} in each): {', '.join(told)}."
    )


def _of_adaptation(block: Block) -> str:
    gains = (
        f"{method} {values['partial'] - values['as trained']:+.1f}"
        for method, values in _means(block).items()
        if {"partial", "as trained"} <= set(values)
    )
    return f"eight samples of a corruption are worth, in points: {', '.join(gains)}."


def settings(quick: bool) -> dict[str, Any]:
    """Return what was chosen, as it goes into ``results.json``."""
    images, views = (20, 20) if quick else (100, 100)
    return {
        "primitives, strength": f"ERM on the clean images and {STORED} stored views of each, all shuffled together; "
        "none: ERM on the clean images; w spectral, t spatial, c color",
        "coverage": f"smallest cosine distance of {views} views of each of {images} test images to each of its "
        "corruptions, in the input of the last layer of the ERM network",
        "spectral energy": f"median over {_looked_at(quick)} training images of the share of energy in blocks of "
        f"{BAND} x {BAND} frequencies of the DCT along its diagonal, the mean of each channel removed; X - clean: of "
        "what a view adds to the clean image; noise, blur and fog: Gaussian, defocus, fog at severity 3",
        "adaptation": "networks with batch norm; corrupted accuracy as trained, single (N = 16, n = 1), partial "
        "(N = 16, n = 8) and full (N = 0, n = 400)",
    }
