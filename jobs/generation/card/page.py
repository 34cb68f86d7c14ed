"""The card of a dataset: README.md for a repository of datasets, report.html to look at."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from passband.jobs.common import wording
from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.drawing.templates import templates
from passband.jobs.drawing.thumbnails import PAGE_BYTES, SheetRow, image_uris, sheet_rows, within
from passband.jobs.generation.card.facts import Facts, gather
from passband.jobs.generation.card.sampling import Look, look_at, looked_side
from passband.jobs.generation.card.spectra import radial_profile
from passband.pipeline.canonical import canonical_json
from passband.pipeline.layout import README, REPORT, TIMM_INFO
from passband.pipeline.records import Manifest, ShardRecord
from passband.pipeline.store import Store

SHARDS = "shards/*.tar"
PANEL_BYTES = 300_000


def write_card(
    store: Store, blueprint: Blueprint, manifest: Manifest, records: Iterable[ShardRecord] | None = None
) -> None:
    """Write README.md and report.html of a finished dataset, and what timm asks for.

    Parameters
    ----------
    records : iterable of ShardRecord, optional
        Those of all shards, where the caller has them; else they are read from the store.

    Raises
    ------
    IntegrityError
        If a record or one of the first shards cannot be read.
    """
    facts = gather(store, blueprint, manifest, records)
    look = look_at(store, manifest)
    pages = templates(Path(__file__).parent)
    front_matter = yaml.safe_dump(_front_matter(facts), sort_keys=False, allow_unicode=True)
    readme = pages.get_template("readme.md.j2").render(facts=facts, front_matter=front_matter)
    report = pages.get_template("report.html.j2").render(facts=facts, pictures=draw(look, manifest))
    store.put(TIMM_INFO, (json.dumps(timm_info(manifest), indent=1, ensure_ascii=False) + "\n").encode())
    store.put(README, readme.encode())
    store.put(REPORT, report.encode())


@dataclass(frozen=True)
class Panel:
    """Mean spectrum of one view, as a data URI."""

    name: str
    uri: str


@dataclass(frozen=True)
class Pictures:
    """What of a dataset is shown; images are data URIs.

    Attributes
    ----------
    sheet : the samples of the contact sheet
    middle : what of the samples spectra are of, such as "the middle 1,024 x 1,024 pixels of "; "" for all
    charts : (media query, data URI), the first that fits is shown; the last has an empty query
    """

    sheet: list[SheetRow]
    sheet_note: str
    panels: list[Panel]
    ticks: list[str]
    stops: list[str]
    charts: list[tuple[str, str]]
    samples: int
    middle: str
    more_views: int


def draw(look: Look, manifest: Manifest) -> Pictures | None:
    """Draw contact sheet and spectra; None for a dataset without samples."""
    spectra = look.spectra.mean()
    if spectra is None:
        return None
    from passband.jobs.drawing import charts
    from passband.jobs.generation.card import figures  # matplotlib takes a while to import

    spelled = [canonical_json(view.recipe) for view in look.views]
    recipes = list(dict.fromkeys(spelled))
    curves = [
        figures.Curve(view.name, recipes.index(spelling), values)
        for view, spelling, values in zip(look.views, spelled, radial_profile(spectra), strict=True)
    ]
    highest = float(spectra.max())
    sides = [looked_side(side) for side in manifest.shape[1:]]
    nyquist = min(sides) // 2
    panels = [figures.spectrum_picture(spectrum, highest) for spectrum in spectra]
    profile = charts.variants(lambda theme, width: figures.profile_png(curves, nyquist, theme, width))
    return Pictures(
        sheet=_sheet(look, manifest),
        sheet_note=_scale_note(look.scale),
        panels=[Panel(view.name, uri) for view, uri in zip(look.views, image_uris(panels, PANEL_BYTES), strict=True)],
        ticks=[wording.significant(highest * part / 4) for part in range(5)],
        stops=figures.color_stops(),
        charts=profile,
        samples=look.spectra.samples,
        middle="" if sides == manifest.shape[1:] else f"the middle {sides[0]:,} x {sides[1]:,} pixels of ",
        more_views=len(manifest.views) - len(look.views),
    )


def _sheet(look: Look, manifest: Manifest) -> list[SheetRow]:
    rows = sheet_rows(look.samples, look.views, manifest.classes, look.scale, PAGE_BYTES)
    (kept,) = within([rows], [sample.label for sample in look.samples], PAGE_BYTES)
    return kept


def _scale_note(factor: int) -> str:
    if factor == 1:
        return "One pixel of the page is one pixel of the view."
    return f"Enlarged {factor} times, unsmoothed." if factor > 0 else f"Reduced {-factor} times."


def _front_matter(facts: Facts) -> dict[str, object]:
    """Return the metadata block that Hugging Face reads at the head of a dataset card."""
    return {
        "pretty_name": facts.name,
        "task_categories": ["image-classification"],
        "size_categories": [facts.size_category],
        "tags": ["webdataset", "passband"],
        # Without it, load_dataset takes the Parquet files of plan and provenance for the data.
        "configs": [{"config_name": "default", "data_files": SHARDS}],
    }


def timm_info(manifest: Manifest) -> dict[str, object]:
    """Return what timm's reader of WebDataset wants to know beside the shards: one split, its shards and samples."""
    split = {
        "name": "train",
        "num_samples": manifest.samples,
        "filenames": [shard.tar.name for shard in manifest.shards],
        "shard_lengths": [shard.samples for shard in manifest.shards],
        "alt_label": "label",  # where the JSON of a sample has it
    }
    return {"name": manifest.name, "splits": {"train": split}, "num_classes": len(manifest.classes)}
