"""Datasets side by side: numbers, contact sheets of the same samples, and what each view is."""

from collections.abc import Sequence
from dataclasses import replace

from passband.jobs.common import wording
from passband.jobs.comparison.blocks import Cell, Column, Section, Sheet, Sheets, Table
from passband.jobs.comparison.reading import Dataset
from passband.jobs.comparison.run import Run
from passband.jobs.comparison.shared_samples import Places, choose_keys, families, places_of, read_keys, rows_that_fit
from passband.jobs.drawing.sheet import MAX_ROWS, MAX_VIEWS, choose_views, shown_scale
from passband.jobs.drawing.thumbnails import PAGE_BYTES, ROOM, sheet_rows, shrink, within
from passband.jobs.generation.card.facts import encoding, recipes
from passband.jobs.generation.card.sampling import SHEET_PIXELS
from passband.jobs.generation.throughput import add_up
from passband.pipeline.formats import FORMATS
from passband.pipeline.manifest import read_record

IDENTITY_DIGITS = 12
LEAST_VIEWS = 4
"""Of a dataset that are shown, however many others share the page."""


def section(runs: Sequence[Run]) -> Section:
    """Return the section of the datasets."""
    blocks = [_numbers(runs), *_sheets(runs), _views(runs)]
    return Section("datasets", "Datasets" if len(runs) > 1 else "Dataset", blocks)


def _numbers(runs: Sequence[Run]) -> Table:
    columns = [
        Column("dataset", "name"),
        *map(Column, ("samples", "views", "classes", "pixels")),
        Column("encoding", ""),
        *map(Column, ("on disk", "made in", "samples/s", "workers")),
        Column("backend", ""),
        Column("identity", ""),
    ]
    note = "Made in: wall time in which at least one shard was being built; samples/s is over it, all workers together."
    return Table("Numbers", columns, [_row(run) for run in runs], note)


def _row(run: Run) -> list[Cell]:
    found: Dataset = run.content
    manifest = found.manifest
    made = add_up(read_record(found.store, shard.shard, shard.record) for shard in manifest.shards)
    stored = sum(file.bytes for form in FORMATS.values() for file in form.files(manifest))
    _, height, width = manifest.shape
    said = [
        f"{manifest.samples:,}",
        f"{len(manifest.views):,}",
        f"{len(manifest.classes):,}",
        f"{height} \u00d7 {width}",
        encoding(found.blueprint),
        wording.size(stored),
        wording.duration(made.wall_s),
        wording.significant(made.samples_per_s) if made.samples_per_s is not None else "\u2013",
        f"{made.workers:,}",
        manifest.environment.get("backend", "unknown"),
        manifest.identity[:IDENTITY_DIGITS],
    ]
    bad = f"{wording.count(len(manifest.bad), 'image')} unreadable" if manifest.bad else ""
    return [Cell(run.label), Cell(said[0], bad), *map(Cell, said[1:])]


def _sheets(runs: Sequence[Run]) -> list[Sheets]:
    full = [run for run in runs if run.content.manifest.samples]
    places = [places_of(run.content) for run in full]
    rows = rows_that_fit([run.content for run in full], MAX_ROWS, 2 * SHEET_PIXELS) if full else 0
    grouped = [
        ([full[number] for number in family], [places[number] for number in family]) for family in families(places)
    ]
    return [_side_by_side(members, there, rows, len(full)) for members, there in grouped]


def _side_by_side(runs: Sequence[Run], places: Sequence[Places], rows: int, on_page: int) -> Sheets:
    """Return the sheets of datasets that share samples, some of all those `on_page`."""
    keys = choose_keys(places, rows)
    drawn = [
        _sheet(run, there, keys, PAGE_BYTES // on_page, ROOM // len(runs))
        for run, there in zip(runs, places, strict=True)
    ]
    labels = [places[0][key].label for key in keys]
    kept = within([sheet.rows for sheet in drawn], labels, PAGE_BYTES * len(runs) // on_page)
    sheets = [replace(sheet, rows=rows) for sheet, rows in zip(drawn, kept, strict=True)]
    shown = wording.count(len(kept[0]), "sample")
    if len(runs) > 1:
        caption = f"The same {shown} in every sheet, spread over the classes."
    else:
        caption = f"{shown} from the beginning of the dataset, spread over the classes."
    title = "Contact sheets" if len(runs) > 1 else "Contact sheet"
    title = f"{title}: {', '.join(run.label for run in runs)}" if on_page > len(runs) else title
    return Sheets(title, sheets, caption)


def _sheet(run: Run, places: Places, keys: Sequence[str], budget: int, room: int) -> Sheet:
    found: Dataset = run.content
    manifest, most = found.manifest, max(LEAST_VIEWS, MAX_VIEWS * budget // PAGE_BYTES)
    views = choose_views(manifest.views, most)
    scale = shown_scale(manifest.shape[1], manifest.shape[2], len(views), room)
    samples = [shrink(sample, views, scale) for sample in read_keys(found, places, keys)]
    left = len(manifest.views) - len(views)
    note = f"{wording.count(left, 'further view')} not shown." if left else ""
    return Sheet(run.label, sheet_rows(samples, views, manifest.classes, scale, budget), note)


def _views(runs: Sequence[Run]) -> Table:
    columns = [Column("dataset", "name"), Column("number", ""), Column("view", "name"), Column("what it is", "words")]
    rows = []
    for run in runs:
        for place, recipe in enumerate(recipes(run.content.blueprint, run.content.manifest)):
            label = run.label if place == 0 else ""
            rows.append([Cell(label), *map(Cell, (recipe.numbers, recipe.names, recipe.words))])
    return Table("What each view is", columns, rows)
