"""Evaluations side by side: what is best of what is comparable, and the curves."""

import io

import numpy as np
import pytest
from PIL import Image

from passband.jobs.comparison import evaluations
from passband.jobs.comparison.conditions import conditions_of, same_images
from passband.jobs.comparison.curves import Axes, marks, panels_png
from passband.jobs.comparison.dots import dots_png
from passband.jobs.comparison.evaluation_charts import dot_rows, frequency_panels, severity_panels
from passband.jobs.comparison.reading import read_runs
from passband.jobs.drawing.charts import LIGHT, LINES
from passband.jobs.evaluation.results import read_evaluation


@pytest.fixture(scope="session")
def found(runs):
    return [read_evaluation(path) for path in (runs.evaluated_erm, runs.evaluated_sam)]


@pytest.fixture
def section(runs, undrawn):
    return evaluations.section(read_runs([str(runs.evaluated_erm), str(runs.evaluated_sam)]))


def rows(section, title):
    (block,) = [block for block in section.blocks if block.title == title]
    return {row[0].text: row[1:] for row in block.rows}, block.note


def test_a_row_a_condition_family_and_a_column_an_evaluation(section, found):
    accuracy, note = rows(section, "Accuracy")
    assert list(accuracy)[:3] == ["test", "domain low-pass", "clean"]
    assert "gaussian_noise, severities 1, 3, 5" in accuracy
    assert {"low-4", "high-8", "group 0"} <= accuracy.keys()
    shown = [cell.text for cell in accuracy["test"]]
    assert shown == [f"{100 * one.accuracy('test'):.1f}" for one in found]
    assert [cell.text for cell in accuracy["fog, severities 1, 3, 5"]] == ["58.0", "63.0"]
    assert accuracy["fog, severities 1, 3, 5"][0].note == "56.0 to 60.0"
    assert [cell.best for cell in accuracy["fog, severities 1, 3, 5"]] == [False, True]
    assert "95 % intervals" in note


def test_of_errors_the_lowest_is_best(section):
    summaries, note = rows(section, "Summaries")
    assert [cell.text for cell in summaries["mCE, relative to the baseline"]] == ["44.0", "39.0"]
    assert [cell.best for cell in summaries["mCE, relative to the baseline"]] == [False, True]
    assert [cell.best for cell in summaries["mean accuracy over corruptions"]] == [False, True]
    assert "lower is better" in note
    assert summaries["worst group"][0].note.startswith("group 0, ")


def test_what_saw_other_images_is_marked_and_not_compared(found):
    moved = [row.model_copy(update={"dataset": "e"}) if row.kind == "test" else row for row in found[1].rows]
    other = found[1].model_copy(update={"rows": moved})
    conditions = {condition.title: condition for condition in conditions_of([found[0], other])}
    assert not conditions["test"].alike
    assert conditions["clean"].alike
    assert not any(cell.best for cell in evaluations._row(conditions["test"]))
    assert evaluations._row(conditions["test"])[0].text == "test †"


def test_one_severity_elsewhere_is_another_mean(found):
    fewer = [row for row in found[1].rows if not (row.family == "fog" and row.level == 5)]
    titles = [condition.title for condition in conditions_of([found[0], found[1].model_copy(update={"rows": fewer})])]
    assert {"fog, severities 1, 3, 5", "fog, severities 1, 3"} <= {*titles}
    assert not same_images([found[0], found[1].model_copy(update={"rows": fewer})], "mCE")
    assert same_images(found, "mCE")
    assert not same_images([found[0], found[1].model_copy(update={"job": {"baseline": "b"}})], "mCE")


def test_a_condition_that_one_lacks_leaves_a_dash(found):
    without = found[1].model_copy(update={"rows": found[1].of_kind("test")})
    clean = {condition.title: condition for condition in conditions_of([found[0], without])}["clean"]
    assert [cell.text for cell in evaluations._row(clean)] == ["clean", "90.0", "–"]
    assert not any(cell.best for cell in evaluations._row(clean))


def test_the_curves_begin_at_the_clean_image(found):
    mean, fog, *_ = severity_panels(found)
    assert (mean.title, fog.title) == ("mean of all", "fog")
    assert [list(line.x) for line in fog.lines] == [[0, 1, 3, 5]] * 2
    assert fog.lines[0].y == pytest.approx([90, 78, 58, 38])
    assert mean.lines[0].y == pytest.approx([90, 76, 56, 36])
    assert [panel.title for panel in frequency_panels(found)] == ["low-pass", "high-pass"]
    assert [row.title for row in dot_rows(found, "domain")] == ["test", "low-pass"]


def test_without_conditions_there_are_no_charts(found):
    bare = found[0].model_copy(update={"rows": found[0].of_kind("test"), "corruptions": [], "summaries": []})
    assert severity_panels([bare]) == frequency_panels([bare]) == dot_rows([bare], "group") == []


def colors(png):
    shown = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    edges = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    assert (edges == 255).all(), "something is cut off"
    return {color for color in LINES if (shown == [int(color[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=2).any()}


@pytest.mark.parametrize("width", [3.8, 9.6])
def test_every_run_has_its_color_in_every_chart(found, width):
    expected = {mark.color for mark in marks(["erm", "sam"])}
    said = Axes("severity", "accuracy, %", percent=True)
    assert colors(panels_png(severity_panels(found), said, LIGHT, width)) == expected
    assert colors(dots_png(dot_rows(found, "group"), 2, LIGHT, width)) == expected


def test_more_runs_than_colors_differ_by_their_dashes():
    assert len({(mark.color, mark.dash) for mark in marks(list(map(str, range(24))))}) == 24
