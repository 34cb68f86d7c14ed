"""From accuracies to rows, and from rows to text; the numbers are worked by hand."""

import pytest

from passband.jobs.reproduce.measured import collect
from passband.jobs.reproduce.recipe import MapNorm, Measure, Seen
from passband.jobs.reproduce.rows import MARGIN, NORM, PERCENT, Row, Table, fill, main_unit
from passband.jobs.reproduce.tables import as_markdown, as_text, note

COLUMNS = tuple((f"severity {level}", str(level)) for level in range(6)) + (("average", "avg"),)


def evaluated(clean, noisy):
    return {"accuracy": {"test": {"clean": clean, "noise-5": noisy}}}


def measure(method, seed):
    seen = [Seen(f"{method}-{seed}", "test", view) for view in ("clean", "noise-5")]
    conditions = {"0": seen[:1], "5": seen[1:], "average": seen}
    return Measure({"dataset": "d", "method": method}, seed, conditions)


def table(**where):
    return Table("d, noise", {"dataset": "d", **where}, (("0", "0"), ("5", "5"), ("average", "avg")))


def test_rows_are_percent_means_and_sample_deviations():
    results = {"ERM-0": evaluated(0.9, 0.5), "ERM-1": evaluated(0.94, 0.7)}
    rows = {row.condition: row for row in collect([measure("ERM", 1), measure("ERM", 0)], results)}
    assert rows["0"].values == pytest.approx((90, 94))  # by seed, in whatever order they came
    assert rows["0"].mean == pytest.approx(92)
    assert rows["0"].std == pytest.approx(8**0.5)  # ((-2)^2 + 2^2) / (2 - 1)
    assert rows["average"].values == pytest.approx((70, 82))
    assert rows["5"].as_json() == {
        "dataset": "d",
        "method": "ERM",
        "condition": "5",
        "unit": "percent",
        "mean": 60.0,
        "std": 14.1421,
        "seeds": 2,
        "values": [50.0, 70.0],
    }


def test_one_seed_has_no_deviation():
    (row, *_) = collect([measure("ERM", 0)], {"ERM-0": evaluated(0.9, 0.5)})
    assert row.std is None
    assert row.as_json()["std"] is None
    assert row.as_json()["seeds"] == 1


def test_what_failed_is_left_out_and_the_rest_is_there():
    rows = collect([measure("ERM", 0), measure("ERM", 1), measure("SAM", 0)], {"ERM-1": evaluated(0.9, 0.5)})
    assert {row.fields["method"] for row in rows} == {"ERM"}
    assert {len(row.values) for row in rows} == {1}


def test_a_mean_over_evaluations_needs_all_of_them():
    both = Measure({"method": "ERM"}, 0, {"all": [Seen("ERM-0", "test", "clean"), Seen("ERM-1", "test", "clean")]})
    results = {"ERM-0": evaluated(0.9, 0.5), "ERM-1": evaluated(0.8, 0.5)}
    assert collect([both], results)[0].values == pytest.approx((85,))
    del results["ERM-1"]
    assert collect([both], results) == []


def analyzed(l1, error):
    return {"maps": [{"name": "enhanced", "mean_l1": l1, "standard_error": error}]}


def test_norms_are_no_percent_and_have_no_best():
    conditions = {"l1": [MapNorm("m", "enhanced")], "error": [MapNorm("m", "enhanced", "standard_error")]}
    measures = [Measure({"method": "ERM"}, 0, conditions)]
    (row, error) = collect(measures, {"m": analyzed(0.12345, 0.004)})
    assert (row.values, row.unit.name) == ((0.12345,), "l1 norm")
    assert error.values == (0.004,)
    block = fill(Table("maps", {}, (("l1", "l1"),)), [row, Row({"method": "SAM"}, "l1", (0.2, 0.3), NORM)])
    assert as_text(block).splitlines()[2:] == ["ERM     0.123", "SAM     0.250", "       ±0.071"]
    assert "| SAM | 0.250 ± 0.071 |" in as_markdown(block)
    assert [row.condition for row in collect(measures, {"m": analyzed(0.1, None)})] == ["l1"]


def test_what_is_not_counted_in_percent_says_so_and_marks_nothing():
    rows = [Row({"method": name}, "u1", (value,), MARGIN) for name, value in (("here", 2.504), ("thesis", 2.5))]
    block = fill(Table("margins", {}, (("u1", "u1"),)), rows)
    assert main_unit([block]) == MARGIN
    assert as_text(block).splitlines()[2:] == ["here   2.50", "thesis 2.50"]
    assert note(MARGIN).startswith("Margins, which are distances to the decision boundary: mean")
    assert "highest" not in note(MARGIN)
    assert note(PERCENT).splitlines() == [
        "Accuracy in percent: mean over the seeds, and below it their",
        "sample standard deviation (divisor n - 1).",
        "* is the highest mean of a column.",
    ]
    assert max(map(len, note(MARGIN).splitlines())) <= 60
    assert main_unit([filled(), block]) == PERCENT == main_unit([])


def filled(names=("ERM", "SAM"), means=((90.04, 50.0), (90.0, 61.25))):
    rows = [
        Row({"dataset": "d", "method": name}, condition, values)
        for name, pair in zip(names, means, strict=True)
        for condition, values in (("0", (pair[0],)), ("5", (pair[1] - 1, pair[1] + 1)))
    ]
    rows.append(Row({"dataset": "other", "method": "ERM"}, "0", (99.0,)))
    return fill(table(), rows)


def test_the_text_marks_the_highest_mean_as_it_is_shown():
    assert as_text(filled()).splitlines() == [
        "d, noise",
        "          0     5   avg",
        "ERM    90.0* 50.0     -",
        "             ±1.4",
        "SAM    90.0* 61.2*    -",
        "             ±1.4",
    ]


def test_markdown_has_means_and_deviations():
    assert as_markdown(filled()).splitlines() == [
        "### d, noise",
        "",
        "| method | 0 | 5 | avg |",
        "|---|---:|---:|---:|",
        "| ERM | **90.0** | 50.0 ± 1.4 | - |",
        "| SAM | **90.0** | **61.2 ± 1.4** | - |",
    ]


def test_a_paper_table_fits_60_columns():
    rows = [
        Row({"dataset": "d", "method": method}, condition, (100.0, 100.0))
        for method in ("ERM", "SharpDRO", "GroupDRO", "V-REx")
        for condition, _ in COLUMNS
    ]
    lines = as_text(fill(Table("mnist5k, gaussian noise", {"dataset": "d"}, COLUMNS), rows)).splitlines()
    assert max(map(len, [*lines, *note(PERCENT).splitlines()])) <= 60
    assert lines[1].split() == ["0", "1", "2", "3", "4", "5", "avg"]  # all columns beside each other
    assert lines[2].split() == ["ERM", *["100.0*"] * 7]
    assert len(lines) == 2 + 2 * 4


@pytest.mark.parametrize("count", [1, 15, 40])
def test_columns_that_do_not_fit_follow_below(count):
    columns = tuple((f"c{number}", f"h{number}") for number in range(count))
    rows = [Row({"method": "a name that goes on and on" * 3}, condition, (12.5, 13.5)) for condition, _ in columns]
    text = as_text(fill(Table("wide", {}, columns), rows))
    assert max(map(len, text.splitlines())) <= 60
    for _, heading in columns:
        assert text.split().count(heading) == 1
    assert text.count("±0.7") == count


def test_a_table_without_rows_is_its_heading():
    assert "method" in as_markdown(fill(table(), []))
    assert as_text(fill(table(), [])).splitlines()[0] == "d, noise"
