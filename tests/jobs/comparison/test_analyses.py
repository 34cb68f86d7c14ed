"""Analyses side by side: one scale of colours a unit."""

import numpy as np

from passband.jobs.comparison import analyses
from passband.jobs.comparison.reading import read_runs
from passband.jobs.drawing.heatmaps import heatmaps_png
from tests.jobs.comparison.runs_made import write_analysis


def test_all_maps_of_a_unit_share_one_scale(runs, tmp_path, monkeypatch):
    quiet = write_analysis(tmp_path / "quiet", "quiet", side=9, scale=0.2)
    drawn = []

    def draw(maps, **options):
        drawn.append((maps, options))
        return heatmaps_png(maps, **options)

    monkeypatch.setattr(analyses, "heatmaps_png", draw)
    section = analyses.section(read_runs([str(quiet), str(runs.sensitivity), str(runs.amplitude)]))
    assert [block.title for block in section.blocks] == ["Sensitivity", "Amplitude", "Numbers"]
    errors = [(maps, options) for maps, options in drawn if not options["logarithmic"]]
    amplitudes = [(maps, options) for maps, options in drawn if options["logarithmic"]]
    assert (len(errors), len(amplitudes)) == (4, 4)  # dark and light, narrow and wide
    titles = [(name, which) for name in ("quiet", "sensitivity") for which in ("original", "enhanced")]
    assert all([(heatmap.title, heatmap.note) for heatmap in maps] == titles for maps, _ in errors)
    assert [(heatmap.title, heatmap.note) for heatmap in amplitudes[0][0]] == [("amplitude", "amplitude")]
    assert {options["largest"] for _, options in errors} == {1.0}
    assert {options["largest"] for _, options in amplitudes} == {160.0}
    assert errors[0][0][0].values.shape == (9, 9)
    np.testing.assert_equal(errors[0][0][0].values[4, 4], 0.2)  # zero frequency is in the centre


def test_the_table_has_a_row_for_every_map(runs):
    numbers = analyses.section(read_runs([str(runs.sensitivity), str(runs.amplitude)])).blocks[-1]
    rows = [dict(zip([c.heading for c in numbers.columns], row, strict=True)) for row in numbers.rows]
    assert [row["map"].text for row in rows] == ["original", "enhanced", "amplitude"]
    assert rows[0]["standard error"].text == "0.0123"
    assert (rows[0]["samples"].text, rows[0]["samples"].note) == ("200", "of 355")
    assert rows[0]["surrogate"].note == "fedcba987654"
    assert rows[2]["surrogate"].text == rows[2]["standard error"].text == rows[2]["in the model"].text == "–"
    assert rows[0]["time"].text == "12 s"
