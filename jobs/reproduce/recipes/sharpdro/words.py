"""The tables of the reproduction of SharpDRO, and what their figures say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from passband.jobs.reproduce.recipes.sharpdro.setting import (
    AGNOSTIC,
    BINS,
    CORRUPTIONS,
    EIIL,
    ERM,
    FIGURE_LEVELS,
    GROUP_DRO,
    JTT,
    LEVELS,
    SAM,
    SHARPDRO,
    WITHOUT,
    Scope,
    Size,
)
from passband.jobs.reproduce.rows import Block, Row, Table
from passband.jobs.reproduce.watched import epoch_name

AVERAGE, MEAN, ALL = "average", "mean weight", "all"
_LAST = LEVELS[-1]


@dataclass(frozen=True)
class Studies:
    """Values of the field ``study`` of the rows; figures 3 and 4 have one more for each of their charts."""

    aware: str = "aware"
    agnostic: str = "agnostic"
    ablation: str = "ablation"
    sharpness: str = "sharpness"
    gradient: str = "gradient norm"
    rho: str = "rho"
    scores: str = "weights"


STUDIES = Studies()


def condition(level: int) -> str:
    """Return what the rows call a severity."""
    return f"severity {level}"


_SEVERITIES = tuple((condition(level), str(level)) for level in LEVELS)
_COLUMNS = (*_SEVERITIES, (AVERAGE, "avg"))


def tables(size: Size, scope: Scope) -> Iterator[Table]:
    """Yield the paper's tables, then its figures; of tables 1 and 2 the means alone are drawn, so the page is small."""
    for study, title in ((STUDIES.aware, "table 1, severities known"), (STUDIES.agnostic, "table 2, unknown")):
        for setting in scope.settings:
            for corruption in CORRUPTIONS:
                where = _where(study, setting.images.name, corruption)
                yield Table(f"{_set(setting.images.name, corruption)} ({title})", where, _COLUMNS)
        yield Table(f"Mean over datasets and corruptions ({title})", _where(study, ALL, ALL), _COLUMNS, "severity")
    studied = scope.studied_set
    name = _set(*studied)
    yield Table(f"{name}: what each part is worth (table 3)", _where(STUDIES.ablation, *studied), _COLUMNS, "severity")
    yield from _landscapes(size, scope, STUDIES.sharpness, "sharpness", "figure 3")
    yield from _landscapes(size, scope, STUDIES.gradient, "norm of the gradient", "figure 4")
    rhos = tuple((f"{rho:g}", f"{rho:g}") for rho in size.rhos)
    title = f"{name}: accuracy by rho, in percent (figure 5)"
    yield Table(title, _where(STUDIES.rho, *studied), rhos, "rho", mean_last=False)
    bins = (*((one, one) for one in BINS), (MEAN, "mean"))
    title = f"{name}: percent of the training images of a severity by their weight (figure 6)"
    yield Table(title, _where(STUDIES.scores, *studied), bins, "weight")


def _landscapes(size: Size, scope: Scope, study: str, what: str, figure: str) -> Iterator[Table]:
    studied = scope.studied_set
    name = _set(*studied)
    epochs = tuple((epoch_name(epoch), str(epoch)) for epoch in size.points(scope.studied))
    for level in FIGURE_LEVELS:
        title = f"{name}: {what} at severity {level} along training ({figure})"
        yield Table(title, _where(f"{study} {level}", *studied), epochs, "epoch", mean_last=False)
    title = f"{name}: {what} at the end of training ({figure})"
    yield Table(title, _where(study, *studied), _SEVERITIES, "severity", mean_last=False)


def _set(name: str, corruption: str) -> str:
    return f"{name}, {corruption.replace('_', ' ')}"


def _where(study: str, dataset: str, corruption: str) -> dict[str, str]:
    return {"study": study, "dataset": dataset, "corruption": corruption}


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return what the figures say of the paper's claims, one after the other."""
    by_study: dict[str, list[Block]] = {}
    for block in blocks:
        by_study.setdefault(block.table.where["study"], []).append(block)
    aware, agnostic = (
        [block for block in by_study.get(study, []) if block.table.where["dataset"] != ALL]
        for study in (STUDIES.aware, STUDIES.agnostic)
    )
    return [
        *_harm(aware),
        *_standing(aware, SHARPDRO, (ERM, GROUP_DRO)),
        *_standing(agnostic, AGNOSTIC, (JTT, EIIL)),
        *_parts(by_study.get(STUDIES.ablation, [])),
        *_flattest(by_study.get(STUDIES.sharpness, []), "Sharpness"),
        *_flattest(by_study.get(STUDIES.gradient, []), "The gradient's norm"),
        *_best_rho(by_study.get(STUDIES.rho, [])),
        *_weights(by_study.get(STUDIES.scores, [])),
    ]


def _harm(blocks: Sequence[Block]) -> Iterator[str]:
    """Say whether severity hurts ERM at all."""
    pairs = [(rows[0], rows[_LAST]) for block in blocks if (rows := block.methods.get(ERM))]
    lost = [clean.mean - last.mean for clean, last in pairs if clean and last]
    if lost:
        yield (
            f"From severity 0 to 5 plain ERM loses {min(lost):.1f} to {max(lost):.1f} points, depending on images "
            "and type."
        )


def _standing(blocks: Sequence[Block], ours: str, others: Sequence[str]) -> Iterator[str]:
    """Say in how many tables a method leads, and how far it is from others."""
    for column, what in ((_LAST, "at severity 5"), (len(_COLUMNS) - 1, "on average over the severities")):
        means = [found for block in blocks if ours in (found := _means(block, column))]
        for other in others:
            gains = [found[ours] - found[other] for found in means if other in found]
            if gains:
                yield f"{ours} differs from {other} {what} by {_spread(gains)}."
        if means:
            first = sum(found[ours] == max(found.values()) for found in means)
            yield f"{ours} has the highest mean {what} in {first} of {len(means)} tables."


def _spread(gains: Sequence[float]) -> str:
    return (
        f"{min(gains):+.1f} to {max(gains):+.1f} points, {sum(gains) / len(gains):+.1f} in the mean of {len(gains)} "
        "tables"
    )


def _parts(blocks: Sequence[Block]) -> Iterator[str]:
    """Say what sharpness, the worst case and the recorded gradient are worth."""
    names = {GROUP_DRO: "sharpness", SAM: "the worst case", WITHOUT: "the recorded gradient"}
    for block in blocks:
        for column, what in ((_LAST, "at severity 5"), (len(_COLUMNS) - 1, "on average")):
            means = _means(block, column)
            worth = [
                f"{means[SHARPDRO] - means[method]:+.1f} by {part}"
                for method, part in names.items()
                if {method, SHARPDRO} <= set(means)
            ]
            if worth:
                yield f"{what[0].upper()}{what[1:]} SharpDRO gains {', '.join(worth)}, in points."


def _flattest(blocks: Sequence[Block], what: str) -> Iterator[str]:
    """Say how much severity raises a quantity of each method, and which has the least of it."""
    for block in blocks:
        pairs = {method: (rows[0], rows[_LAST]) for method, rows in block.methods.items()}
        ratios = {m: last.mean / clean.mean for m, (clean, last) in pairs.items() if clean and last and clean.mean > 0}
        last = _means(block, _LAST)
        if ratios and last:
            said = ", ".join(f"{method} {ratio:.1f}" for method, ratio in ratios.items())
            least = min(last, key=lambda method: last[method])
            yield f"{what} at severity 5 over that at 0: {said} times; at 5 {least} has the least."


def _best_rho(blocks: Sequence[Block]) -> Iterator[str]:
    """Say which rho each severity does best with."""
    for block in blocks:
        best = []
        for method, rows in block.methods.items():
            there: dict[str, Row] = {
                rho: row for (rho, _), row in zip(block.table.columns, rows, strict=True) if row is not None
            }
            if there:
                top = max(there, key=lambda rho: there[rho].mean)
                best.append(f"{method} {top} ({there[top].mean:.1f} %)")
        if best:
            yield f"The rho of the highest accuracy: {', '.join(best)}."


def _weights(blocks: Sequence[Block]) -> Iterator[str]:
    """Say the mean weight of each severity."""
    for block in blocks:
        means = _means(block, len(BINS))
        if means:
            said = ", ".join(f"{method.removeprefix('severity ')}: {mean:.2f}" for method, mean in means.items())
            yield f"Mean weight of the training images by severity, without knowing it: {said}."


def _means(block: Block, column: int) -> Mapping[str, float]:
    """Return method -> its mean in a column, where there is one."""
    return {method: row.mean for method, rows in block.methods.items() if (row := rows[column]) is not None}
