"""Every study fills its contract; so does one from outside, whose parts are of unlike sizes."""

from typing import Any, ClassVar

import pytest

from passband.jobs.analysis.envelope import read_envelope
from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.common.jobfile import JobError
from passband.pipeline.store import LocalStore
from tests.jobs.analysis.contract import StudyContract
from tests.jobs.analysis.toy import TOY


class TestSensitivity(StudyContract):
    what = "sensitivity"


class TestAttack(StudyContract):
    what = "attack"
    given: ClassVar[dict[str, Any]] = {"attack": {"rounds": 8, "steps": 20}, "surrogate": {"batch": 8}}


class TestMargins(StudyContract):
    what = "margins"
    given: ClassVar[dict[str, Any]] = {
        "subset": 12,
        "margins": {
            "steps": 12,
            "subspaces": [{"kind": "dct", "block": 6, "step": 5}, {"kind": "random", "block": 8, "step": 8}],
        },
        "compute": {"block": 10},
        "surrogate": {"batch": 8},
    }


class TestCoverage(StudyContract):
    what = "coverage"
    given: ClassVar[dict[str, Any]] = {
        "coverage": {
            "views": ["clean", {"prime": {}, "copies": 3}],
            "corruptions": {"types": ["contrast", "snow"], "severities": [2]},
        }
    }


class TestSpectrum(StudyContract):
    what = "spectrum"
    given: ClassVar[dict[str, Any]] = {
        "surrogate": None,
        "spectrum": {"views": ["clean", {"prime": {}, "copies": 3}], "block": 4, "step": 4},
    }


class TestToy(StudyContract):
    what = "toy"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def known(cls):
        STUDIES["toy"] = TOY
        yield
        del STUDIES["toy"]

    def test_a_part_has_the_blocks_of_its_size(self, whole):
        envelope = read_envelope(LocalStore(whole[0]))
        assert envelope.blocks("all") == [(0, 7), (7, 14), (14, 20)]
        assert envelope.blocks("half") == [(0, 7), (7, 10)]

    def test_a_job_file_may_name_it(self, make):
        assert make("x").for_command("toy").what == "toy"


def test_every_study_has_a_contract_test():
    tested = {found.what for name, found in globals().items() if name.startswith("Test")}
    assert set(STUDIES) <= tested


def test_a_study_needs_a_surrogate(make_job):
    for what in (name for name, kind in STUDIES.items() if kind.uses_surrogate):
        with pytest.raises(JobError, match=f"surrogate: is needed for {what}"):
            analyze(make_job(surrogate=None), what)
