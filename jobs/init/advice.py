"""What a newcomer should know of a folder of images before anything is made of it."""

from collections.abc import Iterator

from passband.jobs.common.wording import count
from passband.jobs.dataset.plan import Plan, shorten, without_image
from passband.jobs.init.proposal import Proposal
from passband.jobs.init.survey import Survey
from passband.pipeline.sources import splits
from passband.pipeline.sources.limits import plain
from passband.pipeline.sources.skipped import spell

_FEW = 10


def advice(proposal: Proposal, plan: Plan, found: Survey, side: int) -> list[str]:
    """Return a sentence for each thing to know; `side` is that of the stored images."""
    names, counts = [plain(name) for name in plan.classes], plan.class_counts
    left_out = [f"left out: {spell(omission)}" for listing in plan.listings for omission in listing.skipped]
    return [
        *proposal.warnings,
        *plan.source_warnings,
        *left_out,
        *_one_class(plan.classes),
        *_named_as_splits(plan.classes),
        *filter(None, [without_image([plain(name) for name in plan.empty_classes], len(names))]),
        *_small_classes(names, counts),
        *_enlarged(found, side),
        *_unreadable(found),
    ]


def bad_images(found: Survey) -> int:
    """Return how many unreadable images a run has to leave out, about, where not all were looked at."""
    return -(-found.unreadable * found.samples // found.looked_at)


def _one_class(classes: tuple[str, ...]) -> Iterator[str]:
    if len(classes) == 1:
        is_split = bool(splits.splits_in(classes[0]))
        speaks = ", and its name speaks of a split: class folders are expected inside it" if is_split else ""
        yield f"there is one class, {plain(classes[0])}{speaks or '; a training needs two or more'}"


def _named_as_splits(classes: tuple[str, ...]) -> Iterator[str]:
    words = sum(splits.WORDS.values(), ())
    named = [plain(name) for name in classes if name.lower() in words]
    if named and len(classes) > 1:
        yield f"{shorten(named)}: taken as a class, though called like a split; if it is one, let path lead to it"


def _small_classes(names: list[str], counts: list[int]) -> Iterator[str]:
    small = [f"{name} {number}" for name, number in zip(names, counts, strict=True) if 0 < number < _FEW]
    if small:
        which = f"{len(small):,} of {count(len(names), 'class', 'classes')} {'has' if len(small) == 1 else 'have'}"
        yield f"{which} fewer than {_FEW} images: {shorten(small)}"


def _enlarged(found: Survey, side: int) -> Iterator[str]:
    if number := found.enlarged(side):
        verb = "is" if number == 1 else "are"
        yield f"{number:,} of {count(found.looked_at, 'image')} {verb} smaller than {side} x {side}, and enlarged"


def _unreadable(found: Survey) -> Iterator[str]:
    if found.unreadable:
        more = ", ..." if found.unreadable > len(found.reasons) else ""
        yield (
            f"{found.unreadable:,} of {count(found.looked_at, 'image')} cannot be read: "
            f"{', '.join(found.reasons)}{more}; bad_images: {bad_images(found)} lets a run leave them out"
        )
