"""Counts of classes and groups as bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from passband.jobs.common import wording
from passband.jobs.dataset.plan import without_image
from passband.pipeline.records import Manifest

MAX_BARS = 50


@dataclass(frozen=True)
class Bar:
    """A counted thing; `share` is relative to the longest bar, 0 to 1."""

    name: str
    count: int
    share: float


@dataclass(frozen=True)
class Bars:
    """The first bars of a chart and what is said of the others."""

    rows: list[Bar]
    summary: str


def class_bars(classes: Sequence[str], counts: dict[str, int]) -> Bars:
    """Return the samples of each class in the order of the labels, and a sentence on all of them."""
    labels = range(max([len(classes), *(int(label) + 1 for label in counts)]))
    counted = [(wording.class_name(label, classes), counts.get(str(label), 0)) for label in labels]
    bars = _bars(counted, "class", "classes")
    empty = without_image([name for name, count in counted if not count], len(counted))
    return replace(bars, summary=f"{bars.summary} {empty[0].upper()}{empty[1:]}.") if empty else bars


def group_bars(manifest: Manifest, kind: str) -> Bars:
    """Return the samples of each group."""
    counted = [(wording.group(int(g), kind, manifest.domains), n) for g, n in manifest.group_counts.items()]
    return _bars(counted, "group", "groups")


def _bars(counted: list[tuple[str, int]], noun: str, nouns: str) -> Bars:
    numbers = sorted(number for _, number in counted)
    most = numbers[-1] if numbers else 0
    rows = [Bar(name, number, number / most if most else 0.0) for name, number in counted[:MAX_BARS]]
    if not numbers:
        return Bars([], f"No {nouns}.")
    if numbers[0] == most:
        spread = wording.count(most, "sample") + (" in each" if len(numbers) > 1 else "")
    else:
        spread = f"{numbers[0]:,} to {wording.count(most, 'sample')} in each, median {numbers[len(numbers) // 2]:,}"
    left = len(counted) - len(rows)
    shown = f" The first {MAX_BARS} are shown, {left:,} are not." if left else ""
    return Bars(rows, f"{wording.count(len(counted), noun, nouns)}: {spread}.{shown}")
