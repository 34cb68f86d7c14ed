import io

from rich.console import Console

from passband.jobs.evaluation.table import tables
from tests.jobs.evaluation.test_summary import BASELINE, GRID, evaluation, job, outcome


def shown(outcomes, baseline=None, width=60):
    found = evaluation(outcomes, baseline).model_copy(update={"job": job().model_dump()})
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(tables(found))
    return [line.split() for line in out.getvalue().splitlines()]


TEST = outcome("test", 9, "test")
CLEAN = outcome("clean-0", 7, "clean")


def test_mean_of_each_severity_and_what_is_corrupted():
    lines = shown([TEST, CLEAN, *GRID])
    assert ["corruption", "1", "2", "mean"] in lines
    assert ["fog", "80.0", "60.0", "70.0"] in lines
    assert ["mean", "85.0", "55.0", "70.0"] in lines
    assert [line[1] for line in lines if line[:1] == ["clean-0"]] == ["70.0"]


def test_one_corruption_is_its_own_mean():
    assert not any(line[:1] == ["mean"] and len(line) == 4 for line in shown([TEST, *GRID[:2]]))


def test_the_mean_of_relative_errors_is_the_mce():
    lines = shown([TEST, *GRID], evaluation(BASELINE))
    assert ["fog", "80.0", "60.0", "70.0", "50.0"] in lines
    assert ["mean", "85.0", "55.0", "70.0", "55.0"] in lines
