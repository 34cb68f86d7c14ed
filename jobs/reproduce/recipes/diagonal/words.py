"""The tables of margins along the DCT diagonal, and what their figures say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf

from passband.jobs.reproduce.recipes.diagonal.setting import FLIPPED, HIGH, LOW, SETTINGS, Setting, Size
from passband.jobs.reproduce.recipes.parts import CLEAN
from passband.jobs.reproduce.rows import Block, Row, Table

ORIGINAL, TUNED, BOTH = "original", "original, then low", "low and high"
FORGOTTEN, RECOVERED, ADVERSARIAL = "high forgotten", "high recovered", "adversarial"
REPRESENTATIONS = ("DCT diagonal", "random diagonal")
SMOOTHED, FORGETTING, ROBUST, ENERGY = "low-pass", "forgetting", "adversarial training", "energy"
UNREACHED, ACCURACIES = "unreached", "accuracy on images"
BAND = (", 5 %", ", 95 %")
QUANTILES = {"median": "", "low": BAND[0], "high": BAND[1]}
"""What a row of an analysis calls its quantiles -> how the method's name ends."""
AXIS = "lowest frequency of the subspace"
TITLES: Mapping[str, str] = {
    REPRESENTATIONS[0]: "margins along the diagonal of the DCT, at test images as each network learned them "
    "(figure 4.3)",
    REPRESENTATIONS[1]: "the same along the diagonal of a random orthonormal matrix (figure 4.4)",
    SMOOTHED: "margins at original test images, trained on low frequencies (figure 4.7)",
    FORGETTING: "margins at low-pass test images, as high frequencies are learned, forgotten and recovered "
    "(figure 4.8)",
    ROBUST: "margins at test images, with and without adversarial training (figure 4.11)",
}
CLEARLY = 1.2
"""So many times larger is called larger. A choice, made after a first quick run; how far seeds differ is not in it."""
Curve = Sequence[Row | None]


def epoch_name(epochs: int) -> str:
    """Return what the row of a point along training is called."""
    return f"after epoch {epochs}" if epochs > 1 else "after the first epoch"


def tables(size: Size) -> Iterator[Table]:
    """Yield the tables of every image source."""
    for setting in SETTINGS:
        name, columns = setting.name, _columns(setting)
        for study, title in TITLES.items():
            yield Table(f"{name}: {title}", _where(study, name), columns, AXIS, mean_last=False, band=BAND)
        title = f"{name}: energy of adversarial perturbations in each subspace, 95 % (figure 4.12)"
        yield Table(title, _where(ENERGY, name), columns, AXIS, mean_last=False)
        title = f"{name}: images that no step within a subspace moved over a boundary, which have no margin, in percent"
        yield Table(title, _where(UNREACHED, name), columns)
        views = ((CLEAN, "original"), *((view, view) for view in (FLIPPED, LOW, HIGH)))
        yield Table(f"{name}: accuracy on test images, in percent", _where(ACCURACIES, name), views)


def _columns(setting: Setting) -> tuple[tuple[str, str], ...]:
    return tuple((str(number), str(frequency)) for number, frequency in enumerate(setting.frequencies))


def _where(study: str, dataset: str) -> dict[str, str]:
    return {"study": study, "dataset": dataset}


def observe(blocks: Sequence[Block]) -> Iterator[str]:
    """Yield whether the shapes of the thesis's figures came out."""
    for block in blocks:
        say = _SAYINGS.get(block.table.where["study"])
        if say is not None and "dataset" in block.table.where:
            yield from say(block.table.where["dataset"], block.methods)


def _said(row: Row | None) -> str:
    return "out of reach" if row is None else f"{row.mean:.3g}"


def _size(row: Row | None) -> float:
    """Return a margin as it is compared: one that no image has is larger than all others."""
    return inf if row is None else row.mean


def _came_out(is_so: bool) -> str:
    return "as in the thesis" if is_so else "not as in the thesis"


def _flip(name: str, methods: Mapping[str, Curve]) -> Iterator[str]:
    if not {ORIGINAL, FLIPPED} <= set(methods):
        return
    plain, flipped = methods[ORIGINAL], methods[FLIPPED]
    follows = _size(plain[0]) < _size(plain[-1]) and _size(flipped[0]) > _size(flipped[-1])
    yield (
        f"{name}: the median margin goes from {_said(plain[0])} at the lowest frequencies to {_said(plain[-1])} at the "
        f"highest, and of the network of flipped images from {_said(flipped[0])} to {_said(flipped[-1])}: the boundary "
        f"{'follows' if follows else 'does not follow'} the representation, {_came_out(follows)}."
    )


def _flat(name: str, methods: Mapping[str, Curve]) -> Iterator[str]:
    for method, curve in methods.items():
        known = [row.mean for row in curve if row is not None]
        if method in (ORIGINAL, FLIPPED) and known:
            flat = max(known) < 1.5 * min(known)
            yield (
                f"{name}, {method}: along a random diagonal the largest median is {max(known) / min(known):.2f} times "
                f"the smallest: {'flat' if flat else 'not flat'}, {_came_out(flat)}."
            )


def _clearly(larger: bool) -> str:
    return f"{'clearly' if larger else 'not clearly'} more, {_came_out(larger)}"


def _smoothed(name: str, methods: Mapping[str, Curve]) -> Iterator[str]:
    if not {ORIGINAL, TUNED, LOW} <= set(methods):
        return
    before, tuned, low = (methods[method][-1] for method in (ORIGINAL, TUNED, LOW))
    alone, further = (_size(after) > CLEARLY * _size(before) for after in (low, tuned))
    yield (
        f"{name}: at the highest frequencies the median margin is {_said(before)}, {_said(low)} where low-pass images "
        f"alone were trained on, {_clearly(alone)}, and {_said(tuned)} after going on with those, {_clearly(further)}."
    )


def _forgetting(name: str, methods: Mapping[str, Curve]) -> Iterator[str]:
    if not {BOTH, FORGOTTEN, RECOVERED} <= set(methods):
        return
    learned, forgotten, recovered = (methods[method][-1] for method in (BOTH, FORGOTTEN, RECOVERED))
    elastic = CLEARLY * max(_size(learned), _size(recovered)) < _size(forgotten)
    yield (
        f"{name}: at the highest frequencies the median margin is {_said(learned)} once low- and high-pass images are "
        f"learned, {_said(forgotten)} once the latter are forgotten, {_said(recovered)} once they are back: the "
        f"boundary {'goes and comes back' if elastic else 'does not go and come back'}, {_came_out(elastic)}."
    )


def _robust(name: str, methods: Mapping[str, Curve]) -> Iterator[str]:
    if not {ORIGINAL, ADVERSARIAL} <= set(methods):
        return
    pairs = list(zip(methods[ORIGINAL], methods[ADVERSARIAL], strict=True))
    gains = [_size(after) / before.mean for before, after in pairs if before is not None]
    if len(gains) == len(pairs):
        larger, most = min(gains) > 1, gains[-1] > gains[0]
        yield (
            f"{name}: adversarial training multiplies the median margin by {gains[0]:.3g} at the lowest frequencies "
            f"and by {gains[-1]:.3g} at the highest; margins grow {'everywhere' if larger else 'not everywhere'}, "
            f"{_came_out(larger)}, and {'most' if most else 'not most'} at high frequencies, {_came_out(most)}."
        )


def _energy(name: str, methods: Mapping[str, Curve]) -> Iterator[str]:
    for method, curve in list(methods.items())[-1:]:
        known = [row.mean for row in curve if row is not None]
        if len(known) == len(curve):
            low = known[0] > known[-1]
            yield (
                f"{name}, {method} of adversarial training: 95 % of the perturbations have at most {known[0]:.3g} % of "
                f"their energy in the lowest subspace and {known[-1]:.3g} % in the highest: it is "
                f"{'low' if low else 'not low'} in frequency, {_came_out(low)}."
            )


_SAYINGS: Mapping[str, Callable[[str, Mapping[str, Curve]], Iterator[str]]] = {
    REPRESENTATIONS[0]: _flip,
    REPRESENTATIONS[1]: _flat,
    SMOOTHED: _smoothed,
    FORGETTING: _forgetting,
    ROBUST: _robust,
    ENERGY: _energy,
}
