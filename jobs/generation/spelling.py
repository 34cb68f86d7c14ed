"""How a dry run is told: lines for a terminal, or what goes into its JSON."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from passband.jobs.common.wording import count, duration, plain, size
from passband.jobs.dataset.plan import Listing, Plan, shorten, without_image
from passband.jobs.dataset.sharding import enough_for
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.generation.probe import Estimate
from passband.pipeline.sources.skipped import Omission, spell

if TYPE_CHECKING:
    from passband.jobs.analysis.probe import Estimate as MapEstimate

_INDENT = 9


def plan_facts(planned: Plan) -> dict[str, Any]:
    """Return what a machine is told of the images beside their cost."""
    return {
        "classes": list(planned.classes),
        "class_counts": planned.class_counts,
        "empty_classes": planned.empty_classes,
        "enlarged": sum(listing.enlarged for listing in planned.listings),
        "skipped": [{"source": of.name, **asdict(omission)} for of in planned.listings for omission in of.skipped],
        "warnings": planned.source_warnings,
    }


def spell_plan(
    job: GenerateJob, planned: Plan, found: Estimate, maps: "dict[str, MapEstimate]", worker: str, width: int
) -> str:
    """Spell a dry run for a terminal of `width` columns."""
    lines = [f"{job.name} -> {job.output.uri} (nothing is written)"]
    for heading, text in (*_images(job, planned, found), *_cost(job, found, maps, worker)):
        lines += _wrap(heading, text, width)
    lines.append(f"measured on {found.probed:,} samples; milliseconds a sample:")
    lines += [
        f"  {step:<12} {seconds * 1e3:8.3f}"
        for step, seconds in sorted(found.stage_seconds.items(), key=lambda item: -item[1])
    ]
    return "\n".join(lines)


def _images(job: GenerateJob, planned: Plan, found: Estimate) -> Iterator[tuple[str, str]]:
    """Yield what is known of the images: a heading of at most 8 letters, and what stands under it."""
    names = [plain(name) for name in planned.classes]
    yield "samples", f"{found.samples:,} x {found.views} views of {count(len(names), 'class', 'classes')}"
    yield "classes", shorten(names)
    yield "images", _spread(planned.class_counts)
    if empty := without_image([plain(name) for name in planned.empty_classes], len(names)):
        yield "empty", empty
    for listing in planned.listings:
        if listing.enlarged:
            yield "enlarged", _enlarged(job, planned, listing)
        yield from (("left out", _left_out(planned, listing.name, omission)) for omission in listing.skipped)
    yield from (("warning", plain(text)) for text in planned.source_warnings)


def _spread(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,} in each class" if low == high else f"{low:,} to {high:,} a class"


def _enlarged(job: GenerateJob, planned: Plan, listing: Listing) -> str:
    name = f"{listing.name}: " if len(planned.listings) > 1 else ""
    return (
        f"{name}{count(listing.enlarged, 'image is', 'images are')} smaller than {' x '.join(map(str, job.image.size))}"
    )


def _left_out(planned: Plan, name: str, omission: Omission) -> str:
    return f"{name}: {spell(omission)}" if len(planned.listings) > 1 else spell(omission)


def _cost(job: GenerateJob, found: Estimate, maps: "dict[str, MapEstimate]", worker: str) -> Iterator[tuple[str, str]]:
    yield "shards", f"{found.shards:,} of up to {count(found.samples_per_shard, 'sample')}"
    if warning := few_shards(found):
        yield "warning", warning
    yield "bytes", f"about {size(found.bytes)}"
    workers = count(found.workers, worker)
    yield "time", f"about {duration(found.seconds)} with {workers}, start-up aside"
    yield "memory", _memory(found)
    for name, cost in maps.items():
        looked_at = f"{cost.items:,} {cost.noun} x {cost.samples:,} images"
        yield "first", f"{name}: {looked_at}, about {duration(cost.seconds)} more"


def few_shards(found: Estimate) -> str:
    """Warn of fewer than four shards for each of several workers; nothing where more would not help."""
    wanted = enough_for(found.workers, found.samples)
    if found.workers == 1 or found.shards >= 4 * found.workers or wanted >= found.samples_per_shard:
        return ""
    return (
        f"{count(found.workers, 'worker')} share {count(found.shards, 'shard')}, so some wait for the last: with "
        f"output.samples_per_shard {wanted:,} there are four for each"
    )


def _memory(found: Estimate) -> str:
    at_once = count(found.at_once, "sample")
    flight = f"{at_once} at a time, {size(found.in_flight_bytes)} of pixels in flight"
    return f"up to {size(found.peak_bytes)} a worker: {flight}"


def _wrap(heading: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=f"{heading:<{_INDENT}}",
        subsequent_indent=" " * _INDENT,
        break_on_hyphens=False,
    )
