"""Public docstrings carry examples, and every example is run as it stands."""

import doctest

import pytest

from passband import open_stream
from passband.jobs.generation.run import generate
from passband.jobs.training.objectives import OBJECTIVES, Objective
from passband.pipeline.augment import AUGMENTATIONS, Stage
from tests.jobs.generation.made import small_job


def run_example(thing, *before):
    """Run the example of `thing` in its own module, after those of `before`; return what doctest says of failures."""
    said = []
    names = {}
    for one in (*before, thing):
        (example,) = doctest.DocTestFinder(recurse=False).find(one, one.__name__)
        if not example.examples:
            return f"{one.__name__} has no example (>>>) in its docstring"
        example.globs = names | example.globs
        doctest.DocTestRunner().run(example, out=said.append, clear_globs=False)
        names = example.globs
    return "".join(said)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_stage_has_an_example_that_is_true(name):
    assert run_example(AUGMENTATIONS[name], Stage) == ""


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_has_an_example_that_is_true(name):
    assert run_example(OBJECTIVES[name], Objective) == ""


def test_the_example_of_a_stream_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate(small_job("runs/digits", views=["clean", {"radial": {"high": 4}, "name": "low"}]))
    assert run_example(open_stream) == ""


class Untold:
    """Nothing is shown."""


class Wrong:
    """Shows what is not so.

    >>> number
    3
    """


class Begun:
    """Shows where `Wrong` begins.

    >>> number = 2
    """


def test_the_check_can_fail():
    assert run_example(Untold) == "Untold has no example (>>>) in its docstring"
    assert "Expected:\n    3\nGot:\n    2\n" in run_example(Wrong, Begun)
    assert "NameError" in run_example(Wrong)
