"""The tables of the reproduction of FGMix, and what their figures say."""

from collections.abc import Iterator, Mapping, Sequence

from passband.jobs.reproduce.recipes.fgmix.setting import (
    AVERAGE,
    AVERAGED,
    BASELINES,
    ERM,
    FGMIX,
    HELD_OUT,
    RATIO_NAME,
    SURFACE_DOMAIN,
    SWA,
    TABLES,
    VARIANTS,
    Setting,
)
from passband.jobs.reproduce.recipes.parts import CLEAN
from passband.jobs.reproduce.rows import Block, Row, Table
from passband.jobs.reproduce.surface import ACCURACY, BOTH, ORIGINALS

ORDER = (("A", "B"), ("B", "C"), ("C", "D"), ("D", "E"), ("E", FGMIX), ("F", FGMIX))
"""Pairs of variants of which the second has one part more, or gradients in place of codes."""


def tables(setting: Setting) -> Iterator[Table]:
    """Yield the paper's tables, then its figures."""
    columns = (*((one.name, one.name) for one in setting.domains), (AVERAGE, "avg"))
    for study in TABLES:
        yield Table(f"The domain that was left out ({study})", {"study": study, "images": CLEAN}, columns)
    for study in TABLES:
        title = f"Held-out images of the domains that were trained on ({study}), by the domain left out"
        yield Table(title, {"study": study, "images": HELD_OUT}, columns)
    radii = tuple((f"{radius:g}", f"{radius:g}") for radius in setting.radii)
    title = "Squared rise of the loss by the distance of the weights, mean over domains left out (figure 5)"
    yield Table(title, {"study": "flatness", "domain": "all"}, radii, "distance", mean_last=False)
    ends = (("x", "across"), ("y", "up"), (ORIGINALS, "originals"), (BOTH, "with mixtures"), (ACCURACY, "accuracy"))
    title = f"Where the paths end without {SURFACE_DOMAIN}: place in the plane, losses, accuracy on it in % (figure 6)"
    yield Table(title, {"study": "paths"}, ends)
    lambdas = tuple((f"{weight:g}", f"\u03bb = {weight:g}") for weight in setting.lambdas)
    where = "the domains" if len(setting.sensitive) > 1 else setting.sensitive[0]
    title = f"Accuracy on {where} left out, in percent, by \u03bb and the first a (table C.3; the paper's on TerraInc)"
    yield Table(title, {"study": "C.3"}, lambdas)
    title = "Mixtures that extrapolate at the end of training, in percent (section 4.5.1: 22.5 on PACS)"
    yield Table(title, {"study": "extrapolation"}, columns)
    times = ((ERM, "ERM, ms"), (FGMIX, "FGMix, ms"), (RATIO_NAME, "\u00d7 ERM"))
    yield Table("Time of a step (table 1)", {"study": "time"}, times)


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return what the figures say of the paper's claims, one after the other."""
    found = {block.table.where["study"]: block for block in blocks if block.table.where.get("images") != HELD_OUT}
    last = {study: _means(found[study], -1) if study in found else {} for study in (*TABLES, "extrapolation")}
    return [
        *_standing(last["table 1"]),
        *_parts(last["table 2"]),
        *_flatness(found.get("flatness")),
        *_paths(found.get("paths")),
        *_sensitivity(found.get("C.3")),
        *_extrapolation(last["extrapolation"]),
        *_times(found.get("time")),
    ]


def _standing(means: Mapping[str, float]) -> Iterator[str]:
    """Say how FGMix stands among its rivals, and what averaged weights add."""
    if {ERM, FGMIX} <= set(means):
        rank = 1 + sum(mean > means[FGMIX] for method, mean in means.items() if not method.endswith(SWA))
        yield (
            f"On the domain left out FGMix differs from ERM by {means[FGMIX] - means[ERM]:+.1f} points on average, and "
            f"is number {rank} of {len(BASELINES) + 1} without averaged weights."
        )
    gains = [f"{method} {means[method + SWA] - means[method]:+.1f}" for method in AVERAGED if method + SWA in means]
    if gains:
        yield f"Averaged weights add, in points on average: {', '.join(gains)}."


def _parts(means: Mapping[str, float]) -> Iterator[str]:
    """Say what each part of table 2 is worth."""
    if set(VARIANTS) <= set(means):
        steps = (f"{one} to {other} {means[other] - means[one]:+.1f}" for one, other in ORDER)
        yield f"From variant to variant of table 2, in points on average: {', '.join(steps)}."


def _flatness(block: Block | None) -> Iterator[str]:
    """Say who is flatter than ERM at the largest distance."""
    means = {} if block is None else _means(block, -1)
    if block is not None and {ERM, FGMIX} <= set(means):
        said = ", ".join(f"{method} {means[method] / means[ERM]:.2f}" for method in means if method != ERM)
        word = "flatter" if means[FGMIX] < means[ERM] else "not flatter"
        yield (
            f"At a distance of {block.table.columns[-1][1]} FGMix is {word} than ERM: the squared rise of the loss is, "
            f"in times ERM's, {said}."
        )


def _paths(block: Block | None) -> Iterator[str]:
    """Say where the averaged weights end."""
    means = {} if block is None else _means(block, -1)
    ends = (ERM + SWA, FGMIX + SWA)
    if block is not None and set(ends) <= set(means):
        (erm, ours), loss = (means[end] for end in ends), _means(block, 2)
        word = "higher" if ours > erm else "no higher"
        yield (
            f"Without {SURFACE_DOMAIN} the path of FGMix-SWA ends at {word} accuracy there than that of ERM-SWA, "
            f"{ours:.1f} and {erm:.1f} %, where the loss of the originals is {loss[ends[1]]:.3f} and "
            f"{loss[ends[0]]:.3f}."
        )


def _sensitivity(block: Block | None) -> Iterator[str]:
    """Say which lambda does best with each first a."""
    best = []
    for method, rows in ({} if block is None else block.methods).items():
        assert block is not None
        there: dict[str, Row] = {
            heading: row for (heading, _), row in zip(block.table.columns, rows, strict=True) if row is not None
        }
        if there and not method.startswith("paper"):
            top = max(there, key=lambda heading: there[heading].mean)
            best.append(f"{top} for {method} ({there[top].mean:.1f} %)")
    if best:
        yield f"The lambda of the highest accuracy, of one seed: {', '.join(best)}."


def _extrapolation(means: Mapping[str, float]) -> Iterator[str]:
    """Say how many mixtures extrapolate."""
    if means:
        said = ", ".join(f"{method} {mean:.1f}" for method, mean in means.items())
        yield f"Mixtures that extrapolate at the end of training, in percent on average: {said}."


def _times(block: Block | None) -> Iterator[str]:
    """Say how long a step takes beside one of ERM."""
    means = {} if block is None else _means(block, -1)
    ours = {method: mean for method, mean in means.items() if not method.startswith("paper")}
    if ours:
        said = " and ".join(f"{mean:.2f} times that of ERM on {network}" for network, mean in ours.items())
        yield f"The processor time of a step of FGMix, once it mixes, is {said}."


def _means(block: Block, column: int) -> dict[str, float]:
    """Return method -> its mean in a column, where there is one."""
    return {method: row.mean for method, rows in block.methods.items() if (row := rows[column]) is not None}
