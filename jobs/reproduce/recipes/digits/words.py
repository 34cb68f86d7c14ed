"""What the figures of the digits reproduction say, and how its settings were chosen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from passband.jobs.reproduce.recipes.digits.methods import AUGMIX, ERM, ONLY_MIX, RECIPES, TWO, WITH_ENHANCED
from passband.jobs.reproduce.rows import Block, Row

AVERAGE, SECONDS = "unseen", "seconds"
STORED, UNMAPPED, IN_STEPS = "stored, enhanced map", "stored, no map", "in each step"
ORIGINAL_NORM, ENHANCED_NORM, NORM_ERROR = "original l1 norm", "enhanced l1 norm", "standard error"
NORM_COLUMNS = (
    (ORIGINAL_NORM, "original"),
    (ENHANCED_NORM, "enhanced"),
    (NORM_ERROR, "s. e."),
    (AVERAGE, "avg"),
)


@dataclass(frozen=True)
class Studies:
    """Values of the field ``study`` of the rows, one a table."""

    main: str = "methods"
    ablation: str = "ablation"
    figure_6: str = "maps"
    norms: str = "l1 norms"
    rounds: str = "rounds"
    weights: str = "weights"
    shares: str = "data efficiency"
    weight: str = "weight"
    steps: str = "steps"
    step_size: str = "step size"
    init: str = "init"
    attacks: str = "attack in training"
    printed: str = "table 4"


STUDIES = Studies()
SWEEPS: Mapping[str, str | None] = {
    STUDIES.weight: None,
    STUDIES.steps: "steps",
    STUDIES.step_size: "step_size",
    STUDIES.init: "init",
}
"""Study of figure 7 -> the option of sada that it changes; None is the weight of JSD."""


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return what the figures say: the order of the methods, what each part is worth, and norm against accuracy."""
    by_study = {block.table.where["study"]: block for block in blocks}
    return [
        *_order(_last_column(by_study.get(STUDIES.main))),
        *_parts(_last_column(by_study.get(STUDIES.ablation)), "Ablation", TWO),
        *_parts(_last_column(by_study.get(STUDIES.figure_6)), "Figure 6", WITH_ENHANCED),
        *_norms(by_study.get(STUDIES.norms)),
        *_weights(by_study.get(STUDIES.weights)),
        *_efficiency(by_study.get(STUDIES.shares)),
        *_swept(by_study),
        *_in_training(by_study.get(STUDIES.attacks)),
    ]


def _last_column(block: Block | None) -> dict[str, Row]:
    """Return method -> its row of the average, where there is one."""
    if block is None:
        return {}
    return {method: row for method, rows in block.methods.items() if (row := rows[-1]) is not None}


def _order(rows: Mapping[str, Row]) -> Iterator[str]:
    """Say whether SADA is above AugMix above ERM."""
    if not {ERM, AUGMIX, *RECIPES} <= set(rows):
        return
    erm, augmix = rows[ERM].mean, rows[AUGMIX].mean
    gains = (f"{name} {row.mean - erm:+.1f}" for name, row in rows.items() if name != ERM)
    yield f"On the average of the unseen domains ERM has {erm:.1f} %; against it: {', '.join(gains)} points."
    above = [name for name in RECIPES if rows[name].mean > augmix > erm]
    over = ", ".join(f"{name} {rows[name].mean - augmix:+.1f} ({_won(rows[name], rows[AUGMIX])})" for name in RECIPES)
    claim = "The paper's order, SADA above AugMix above ERM,"
    held = f"holds for {len(above)} of {len(RECIPES)} recipes" if above else "does not hold for any recipe"
    yield f"{claim} {held}; SADA against AugMix: {over}; AugMix against ERM: {augmix - erm:+.1f} points."


def _won(row: Row, other: Row) -> str:
    pairs = list(zip(row.values, other.values, strict=False))
    return f"above in {sum(mine > its for mine, its in pairs)} of {len(pairs)} seeds"


def _parts(rows: Mapping[str, Row], what: str, whole: str) -> Iterator[str]:
    if whole in rows and len(rows) > 1:
        found = (f"{name} {row.mean - rows[whole].mean:+.1f}" for name, row in rows.items() if name != whole)
        yield f"{what}: against {whole} with {rows[whole].mean:.1f} %, {', '.join(found)} points on that average."


def _norms(block: Block | None) -> Iterator[str]:
    """Say how the enhanced map's l1 norm goes with accuracy, over networks and over the methods' means."""
    if block is None:
        return
    columns = [condition for condition, _ in block.table.columns]
    norm, accuracy = columns.index(ENHANCED_NORM), columns.index(AVERAGE)
    found = [(a, b) for rows in block.methods.values() if (a := rows[norm]) and (b := rows[accuracy])]
    if len(found) < 3:
        return
    single = [pair for a, b in found for pair in zip(a.values, b.values, strict=False)]
    means = [(a.mean, b.mean) for a, b in found]
    rho, of_means = rank_correlation(single), rank_correlation(means)
    claim = "falls with it, as in the paper" if of_means < 0 else "does not fall with it, unlike in the paper"
    yield (
        f"The l1 norm of the enhanced map against accuracy on the unseen domains: rank correlation (Spearman) "
        f"{rho:+.2f} over {len(single)} networks, {of_means:+.2f} over the means of {len(means)} methods. "
        f"The norm {claim}."
    )


def _weights(block: Block | None) -> Iterator[str]:
    """Say how much of SADA's lead on AugMix is the weight's, and how much the number of views."""
    if block is None or AUGMIX not in block.methods:
        return
    for column, (weight, _) in enumerate(block.table.columns):
        cells = {name: row for name, rows in block.methods.items() if (row := rows[column])}
        if augmix := cells.pop(AUGMIX, None):
            leads = _leads(cells, augmix)
            yield f"With the same weight of JSD, {weight}: AugMix {augmix.mean:.1f} %; against it {leads}."
        if only_mix := cells.pop(ONLY_MIX.name, None):
            yield f"Against {ONLY_MIX.name}, which has as many views: {_leads(cells, only_mix)}."


def _leads(cells: Mapping[str, Row], other: Row) -> str:
    return ", ".join(f"{name} {row.mean - other.mean:+.1f} ({_won(row, other)})" for name, row in cells.items())


def _efficiency(block: Block | None) -> Iterator[str]:
    """Say whether SADA with the smallest share is above AugMix with all of its views."""
    if block is None or not {AUGMIX, TWO} <= set(block.methods):
        return
    few, whole = block.methods[TWO][0], block.methods[AUGMIX][-1]
    if few and whole:
        held = "above" if few.mean > whole.mean else "not above"
        share = float(block.table.columns[0][0])
        yield (
            f"Figure 5: {TWO} with {share:.0%} of the samples augmented has {few.mean:.1f} %, {held} AugMix with all "
            f"({whole.mean:.1f} %); in the paper it is above the baselines."
        )


def _swept(blocks: Mapping[str, Block]) -> Iterator[str]:
    """Say over which values accuracy hardly changes."""
    for study in SWEEPS:
        block = blocks.get(study)
        if block is None or TWO not in block.methods:
            continue
        found = [(value, row) for (value, _), row in zip(block.table.columns, block.methods[TWO], strict=True) if row]
        if len(found) > 1:
            (worst, low), (best, high) = (pick(found, key=lambda cell: cell[1].mean) for pick in (min, max))
            yield (
                f"Figure 7, {study}: between {low.mean:.1f} % at {worst} and {high.mean:.1f} % at {best}, of "
                f"{', '.join(value for value, _ in found)}."
            )


def _in_training(block: Block | None) -> Iterator[str]:
    """Say what an attack in each step is worth, and what it costs."""
    if block is None or not {STORED, UNMAPPED, IN_STEPS} <= set(block.methods):
        return
    columns = [condition for condition, _ in block.table.columns]
    accuracy, seconds = (
        {name: rows[columns.index(column)] for name, rows in block.methods.items()} for column in (AVERAGE, SECONDS)
    )
    online, unmapped, stored = (accuracy[name] for name in (IN_STEPS, UNMAPPED, STORED))
    long, short = seconds[IN_STEPS], seconds[UNMAPPED]
    if online and unmapped and stored and long and short:
        yield (
            f"Attacked in each step, 1sada+2mix has {online.mean:.1f} %; by the same attack once, against ERM, "
            f"{unmapped.mean:.1f} % (the former {_won(online, unmapped)}), and with the map {stored.mean:.1f} %. The "
            f"training takes {long.mean:.0f} s in place of {short.mean:.0f}, {long.mean / short.mean:.1f} times as "
            "long, without the time in which stored views are made."
        )


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Return Spearman's rank correlation, ties sharing their mean rank; 0 where one side does not vary."""
    first, second = (_ranks([pair[side] for pair in pairs]) for side in (0, 1))
    middle = (len(pairs) + 1) / 2
    products = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spreads = [sum((rank - middle) ** 2 for rank in ranks) for ranks in (first, second)]
    return products / (spreads[0] * spreads[1]) ** 0.5 if all(spreads) else 0.0


def _ranks(values: Sequence[float]) -> list[float]:
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


CHOICE: tuple[str, ...] = (
    "Network, sizes and epochs were chosen for the time that they take. The attack has the paper's numbers, and so has "
    "the weight of its JSD, which is the same for SADA's recipes and ablations; AugMix and PRIME have that of theirs.",
)
