"""What every study keeps, shipped or not: the same bytes however the work is divided, stopped and gone on with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from passband.jobs.analysis.envelope import read_envelope
from passband.jobs.analysis.probe import estimate
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.spec import AnalyzeJob, load_analyze_job
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.common.overwrite import claimed
from passband.jobs.comparison.status import read_run, spell_run
from passband.pipeline.store import LocalStore
from tests.jobs.analysis.conftest import job_of

SHORT: dict[str, Any] = {"subset": 20, "compute": {"executor": "inline", "block": 7, "threads": 1}}


class Stopped(Exception):
    """Ends a run after some blocks."""


def stop_after(blocks: int) -> Callable[[], None]:
    done: list[int] = []

    def checkpoint() -> None:
        done.append(1)
        if len(done) == blocks:
            raise Stopped

    return checkpoint


def merged(given: dict[str, Any]) -> dict[str, Any]:
    """Return `SHORT` with what a study is given besides."""
    return {**SHORT, **given, "compute": {**SHORT["compute"], **given.get("compute", {})}}


def untimed(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without what the clock says."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in table]


class StudyContract:
    """The tests; a subclass says which study, and with which keys of a job it takes seconds."""

    what: ClassVar[str]
    given: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def make(self, checkpoint: Path, tmp_path: Path) -> Callable[..., AnalyzeJob]:
        def job(name: str, **changes: Any) -> AnalyzeJob:
            return job_of(tmp_path / name, checkpoint, **merged(self.given)).model_copy(update=changes)

        return job

    @pytest.fixture(scope="class")
    @classmethod
    def whole(cls, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Analysis]:
        """The folder of an analysis that ran through at once."""
        out = tmp_path_factory.mktemp("whole") / "out"
        return out, analyze(job_of(out, checkpoint, **merged(cls.given)), cls.what)

    def found(self, out: Path) -> dict[str, bytes]:
        """What does not tell of time and place."""
        names = [path for path in out.iterdir() if path.suffix in (".npz", ".png")]
        return {path.name: path.read_bytes() for path in names}

    def test_a_stopped_run_goes_on_to_the_same_bytes(self, whole, make, tmp_path):
        with pytest.raises(Stopped):
            analyze(make("out"), self.what, checkpoint=stop_after(2))
        out = tmp_path / "out"
        kept = {path: path.stat().st_mtime_ns for path in (out / "blocks").glob("*.json")}
        assert len(kept) == 2
        told = read_run(LocalStore(out))
        assert (told["state"], told["done"]) == ("unfinished", 2)
        assert f"blocks   2 of {told['blocks']} done" in spell_run(told)
        analyze(make("out"), self.what)
        assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
        assert self.found(out) == self.found(whole[0])

    def test_workers_and_blocks_change_no_byte(self, whole, make, tmp_path):
        compute = make("x").compute.model_copy(update={"executor": "threads", "workers": 2, "block": 11, "threads": 1})
        found = analyze(make("out", compute=compute), self.what)
        assert self.found(tmp_path / "out") == self.found(whole[0])
        assert (found.maps, untimed(found.table)) == (whole[1].maps, untimed(whole[1].table))

    def test_its_folder_is_its_own(self, whole):
        out, found = whole
        assert claimed(out).kind == "analysis"
        assert {path.suffix for path in (out / "blocks").iterdir()} == {".json"}
        assert load_analyze_job(out / "job.yaml").for_command(self.what).name == found.name
        assert read_run(LocalStore(out))["state"] == "finished"

    def test_its_arrays_are_known_by_their_hash_and_hold_no_objects(self, whole):
        out, found = whole
        assert (found.maps_sha256 or found.arrays_sha256) is not None
        with np.load(out / STUDIES[self.what].load().arrays, allow_pickle=False) as arrays:
            assert len(arrays.files) > 0

    def test_its_parts_are_told_before_anything_is_written(self, make, whole, tmp_path, monkeypatch):
        monkeypatch.setattr("passband.jobs.analysis.probe._PROBE_S", 0.01)
        told = estimate(make("out"), self.what)
        sizes = read_envelope(LocalStore(whole[0])).sizes
        assert (told.parts, told.items, told.samples) == (tuple(sizes), sum(sizes.values()), whole[1].samples)
        assert told.seconds > 0
        assert not (tmp_path / "out").exists()
