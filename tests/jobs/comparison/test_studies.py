"""Attacks, margins, coverage and spectra on the page: histograms, bands, images; damage is named."""

import json

import numpy as np
import pytest

from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.comparison import analyses
from passband.jobs.comparison.curves import panels_png
from passband.jobs.comparison.page import page
from passband.jobs.comparison.reading import read_runs
from passband.jobs.comparison.studies import SHOWN, attack, coverage, margins, spectrum
from passband.pipeline.errors import PassbandError
from tests.jobs.analysis.conftest import checkpoint, digits, fitted, job_of  # noqa: F401

OPTIONS = {
    "attack": {"attack": {"rounds": 8, "steps": 20}},
    "margins": {"margins": {"steps": 12, "subspaces": [{"kind": "dct", "block": 6, "step": 5}]}},
    "coverage": {
        "coverage": {
            "views": ["clean", {"prime": {}, "copies": 3}],
            "corruptions": {"types": ["contrast", "snow"], "severities": [1, 3]},
        }
    },
    "spectrum": {"spectrum": {"views": ["clean", {"prime": {}, "copies": 2}], "block": 4, "step": 4}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, checkpoint):  # noqa: F811
    """Two analyses of each study, of the same name."""
    root = tmp_path_factory.mktemp("studies")
    for what, options in OPTIONS.items():
        for name, subset in (("a", 20), ("b", 10)):
            job = job_of(root / what / name, checkpoint, **options, subset=subset, compute={"block": None})
            analyze(job, what)
    return root


def section(*folders):
    return analyses.section(read_runs([str(folder) for folder in folders]))


def drawn(monkeypatch, module):
    found = []

    def draw(panels, said, theme, width):
        found.append((panels, said))
        return panels_png(panels, said, theme, width)

    monkeypatch.setattr(module, "panels_png", draw)
    return found


def test_every_study_but_the_maps_has_a_part_of_the_page():
    assert {*SHOWN, "sensitivity"} == set(STUDIES)


def test_attacks_have_histograms_numbers_and_images(made, monkeypatch):
    found = drawn(monkeypatch, attack)
    blocks = section(made / "attack" / "a", made / "attack" / "b").blocks
    assert [block.title for block in blocks] == [
        "Share of perturbed pixels",
        "Steps",
        "Attacks",
        "Images that were fooled",
    ]
    assert [mark.label for mark in blocks[0].legend] == ["small (a)", "small (b)"]
    pixels, steps = found[0][0], found[4][0]  # each is drawn for four screens
    assert [panel.title for panel in pixels] == ["sparsefool"]
    assert [panel.title for panel in steps] == ["deepfool", "sparsefool"]
    for panel in (*pixels, *steps):
        for line in panel.lines:
            assert sum(line.y[::2]) == pytest.approx(100)  # each bar is two points
    rows = [[cell.text for cell in row] for row in blocks[2].rows]
    assert [row[:3] for row in rows[:3]] == [["small (a)", name, "20"] for name in ("deepfool", "sparsefool", "random")]
    results = json.loads((made / "attack" / "a" / "results.json").read_text())["table"]
    assert rows[1][3:5] == [f"{results[1]['fooled']:.1%}", f"{results[1]['pixels']:.2%}"]
    (first, second) = blocks[3].sheets
    assert len(first.rows) == len(second.rows) > 0
    assert [thumbnail.view for thumbnail in first.rows[0].thumbnails] == ["before", "after"]
    assert first.rows[0].thumbnails[0].uri != first.rows[0].thumbnails[1].uri


def test_margins_have_a_line_with_a_band_a_run(made, monkeypatch):
    found = drawn(monkeypatch, margins)
    blocks = section(made / "margins" / "a", made / "margins" / "b").blocks
    assert [block.title for block in blocks] == ["Margins", "Margins by subspace"]
    (panel,) = found[0][0]
    table = json.loads((made / "margins" / "a" / "results.json").read_text())["table"]
    told = [row for row in table if row["median"] is not None]
    line = panel.lines[0]
    assert (line.x, line.y) == ([row["subspace"] for row in told], [row["median"] for row in told])
    assert (line.low, line.high) == ([row["low"] for row in told], [row["high"] for row in told])
    assert len(blocks[1].rows) == 2 * len(table)


def test_coverage_has_lines_numbers_and_images(made, monkeypatch):
    found = drawn(monkeypatch, coverage)
    blocks = section(made / "coverage" / "a", made / "coverage" / "b").blocks
    assert [block.title for block in blocks] == [
        "Coverage by the number of views",
        "Coverage",
        "Coverage by corruption",
        "Nearest views",
    ]
    (panel,) = found[0][0]  # the clean image has one view, and no line
    table = json.loads((made / "coverage" / "a" / "results.json").read_text())["table"]
    assert panel.title == "prime"
    assert panel.lines[0].x == pytest.approx(np.log2([1, 2, 3]))
    assert panel.lines[0].y == pytest.approx([1000 * value for _, value in table[1]["growing"]])
    assert [column.heading for column in blocks[2].columns] == ["analysis", "recipe", "contrast", "snow"]
    means = np.mean([table[0]["corruptions"][f"snow-{severity}"] for severity in (1, 3)])
    assert float(blocks[2].rows[0][3].text) == pytest.approx(1000 * means, rel=0.01)
    assert [mark.view for mark in blocks[3].sheets[0].rows[0].thumbnails] == ["clean", "contrast-1", "clean", "prime"]


def test_spectra_have_a_panel_a_recipe_for_views_and_for_what_they_add(made, monkeypatch):
    found = drawn(monkeypatch, spectrum)
    blocks = section(made / "spectrum" / "a", made / "spectrum" / "b").blocks
    assert [block.title for block in blocks] == [
        "Energy of views",
        "Energy of what views add to the clean image",
        "Energy by subspace",
    ]
    own, added = found[0][0], found[4][0]  # each is drawn for four screens
    assert [panel.title for panel in own] == ["clean", "prime"]
    assert [panel.title for panel in added] == ["prime"]
    table = json.loads((made / "spectrum" / "a" / "results.json").read_text())["table"]
    told = [row for row in table if (row["views"], row["energy"]) == ("prime", "added")]
    line = added[0].lines[0]
    assert line.x == [0, 4, 8, 12]
    assert line.y == [100 * row["median"] for row in told]
    assert (line.low, line.high) == ([100 * row["low"] for row in told], [100 * row["high"] for row in told])
    assert [row[1].text for row in blocks[2].rows[:12:4]] == ["clean", "prime", "prime - clean"]


def test_whole_numbers_have_bins_of_their_own():
    assert attack._edges(3.0, whole=True).tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    assert len(attack._edges(399.0, whole=True)) - 1 == 20
    assert attack._edges(0.0, whole=False)[-1] == 1.0


def test_a_page_holds_maps_and_other_studies(made, runs):
    content = page(read_runs([str(made / "attack" / "a"), str(made / "margins" / "a"), str(runs.sensitivity)]))
    assert all(title in content for title in ("Sensitivity", "Attacks", "Margins by subspace"))


@pytest.mark.parametrize("what", OPTIONS)
def test_what_is_damaged_is_named(made, what, tmp_path):
    def refused(message, arrays=None, **changes):
        out = tmp_path / "x"
        out.mkdir(exist_ok=True)
        source = made / what / "a"
        results = json.loads((source / "results.json").read_text())
        results = {key: value for key, value in results.items() if key not in ("digest", "arrays_sha256")}
        (out / "results.json").write_text(json.dumps(results | changes))
        with np.load(source / "arrays.npz") as stored:
            np.savez(out / "arrays.npz", **({name: stored[name] for name in stored.files} | (arrays or {})))
        with pytest.raises(PassbandError, match=message):
            read_runs([str(out)])

    name = {
        "attack": "deepfool-steps",
        "margins": "dct-margins",
        "coverage": "prime-distances",
        "spectrum": "prime-own",
    }[what]
    refused(f"arrays.npz is damaged: {name} is float64 of shape \\[3\\]", {name: np.ones(3)})
    refused(f"an analysis of {what} without a table", table=[])
    refused("is damaged", table=[{"strange": 1}])
    refused("its sha256 is", arrays_sha256="0" * 64)


def test_rows_of_an_unknown_study_are_shown_as_they_are(made, monkeypatch):
    monkeypatch.delitem(SHOWN, "margins")
    (table,) = section(made / "margins" / "a").blocks
    assert table.title == "Margins"
    assert [column.heading for column in table.columns][:3] == ["analysis", "family", "subspace"]
