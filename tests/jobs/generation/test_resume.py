"""What a run counts on that was there before it, and what becomes of an output that goes away under it."""

import re
import shutil

import pytest

import passband.jobs.dataset.output as output
from passband.jobs.dataset.blueprint import read_blueprint
from passband.jobs.generation.ledger import ShardsFailedError
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import verify
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.errors import IntegrityError, OutputError, PassbandError
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes

BOTH = {"formats": ["webdataset", "ffcv"]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    generate(small_job(out, output=BOTH))
    return out


@pytest.fixture
def out(dataset, tmp_path):
    return shutil.copytree(dataset, tmp_path / "out")


class Told(SilentDisplay):
    """Remembers what a run says."""

    def __init__(self):
        self.steps, self.warnings, self.done = [], [], None

    def step(self, name):
        self.steps.append(name)

    def started(self, ledger):
        self.warnings, self.done = list(ledger.warnings), len(ledger.done)


def flip(path, position=-3000):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def resumed(out, **options):
    told = Told()
    generate(small_job(out, output=BOTH), display=told, **options)
    return told


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("name", ["shards/small-000003.tar", "records/000003.parquet"])
def test_a_run_makes_again_what_was_damaged_without_a_change_of_its_size(dataset, out, name, finished):
    if not finished:
        (out / "manifest.json").unlink()
    flip(out / name)
    told = resumed(out)
    assert told.steps[0] == "checking 8 shards made before"
    (warning,) = told.warnings
    assert re.search(rf"{name}: sha256 is \w+, its record says \w+; the shard is made again$", warning)
    assert told.done == 7
    assert stored_bytes(out) == stored_bytes(dataset)
    assert list(verify(LocalStore(out))) == []


def test_a_run_that_trusts_says_what_it_did_not_look_at(dataset, out):
    for name in ("shards/small-000003.tar", "small.beton"):
        flip(out / name)
    told = resumed(out, trust=True)
    assert told.steps[0] == "comparing only the sizes of 8 shards made before"
    assert told.warnings == []
    assert stored_bytes(out) != stored_bytes(dataset)
    resumed(out)
    assert stored_bytes(out) == stored_bytes(dataset)


def test_a_damaged_ffcv_file_is_made_again(dataset, out):
    flip(out / "small.beton")
    told = resumed(out)
    assert told.steps[1:3] == ["checking small.beton", "exporting to FFCV"]
    assert stored_bytes(out) == stored_bytes(dataset)


def test_a_damaged_record_is_made_again(dataset, out):
    """Its digest is its own witness where there is no manifest yet."""
    (out / "manifest.json").unlink()
    record = out / "records" / "000003.json"
    record.write_text(record.read_text().replace('"samples": 50', '"samples": 51'))
    (warning,) = resumed(out).warnings
    assert "000003.json: was changed after it was written: its digest is" in warning
    assert list(verify(LocalStore(out))) == []


def test_nothing_is_checked_where_nothing_was_made(tmp_path):
    told = resumed(tmp_path)
    assert not any("checking" in step for step in told.steps)


def test_a_run_may_be_stopped_while_it_checks(out):
    calls = []

    def stop():
        calls.append(1)
        raise SystemExit(3)

    before = {path: path.stat().st_mtime_ns for folder in ("shards", "records") for path in (out / folder).iterdir()}
    with pytest.raises(SystemExit):
        resumed(out, checkpoint=stop)
    assert len(calls) == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_cannot_be_made_again_is_kept_with_its_record(out, monkeypatch):
    """The stage is another by now: the shard would be another too."""
    flip(out / "shards" / "small-000003.tar")
    monkeypatch.setattr(AUGMENTATIONS["prime"], "version", AUGMENTATIONS["prime"].version + 1)
    with pytest.raises(PassbandError, match="was begun by other versions of its stages"):
        resumed(out)
    assert (out / "records" / "000003.json").exists()


class Removal(SilentDisplay):
    """Removes the output when `moment` comes, as somebody else might."""

    def __init__(self, out, moment):
        self.out, self.moment, self.shards, self.removed = out, moment, 0, 0

    def _now(self, moment):
        if moment == self.moment:
            shutil.rmtree(self.out)
            self.removed += 1

    def started(self, ledger):
        self._now("started")

    def event(self, ledger, message):
        self.shards += 1
        self._now(self.shards)

    def step(self, name):
        self._now(name)


@pytest.mark.parametrize("moment", ["started", 1, 5, 8, "exporting to FFCV", "writing the card"])
def test_an_output_that_is_removed_under_a_run_leaves_nothing_that_refuses_the_next(dataset, tmp_path, moment):
    out = tmp_path / "out"
    display = Removal(out, moment)
    with pytest.raises(OutputError) as raised:
        generate(small_job(out, output=BOTH), display=display)
    assert display.removed == 1
    assert str(raised.value) == f"{out}: was removed while the dataset was made; the same command begins anew"
    assert not out.exists()
    generate(small_job(out, output=BOTH))
    assert stored_bytes(out) == stored_bytes(dataset)


def test_what_failed_besides_is_not_told_of_an_output_that_was_removed(tmp_path):
    """The list of what failed is written last, and would be left alone in the folder."""
    out = tmp_path / "out"
    with pytest.raises(OutputError, match="was removed while the dataset was made"):
        generate(small_job(out), display=Removal(out, 8), faults={7: ("raise",) * 3})
    assert not out.exists()


def test_a_signal_is_still_a_signal_when_the_output_was_removed(tmp_path):
    out = tmp_path / "out"

    def stop():
        shutil.rmtree(out)
        raise SystemExit(130)

    with pytest.raises(SystemExit):
        generate(small_job(out), checkpoint=stop)
    assert not out.exists()


def test_a_job_that_alone_goes_away_costs_no_shard(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "_REMOVING_S", 0.2)
    kept = {}

    def lose(*_):
        kept["job"] = (tmp_path / "job.yaml").read_bytes()
        (tmp_path / "job.yaml").unlink()

    display = SilentDisplay()
    display.event = lose
    with pytest.raises(OutputError, match=r"its job\.yaml went away meanwhile; put it back, and run again"):
        generate(small_job(tmp_path), display=display)
    assert len(list(tmp_path.glob("records/*.json"))) == 1
    (tmp_path / "job.yaml").write_bytes(kept["job"])
    generate(small_job(tmp_path))
    assert list(verify(LocalStore(tmp_path))) == []


def test_a_run_does_not_finish_anothers_dataset(tmp_path):
    """Somebody removes the output and begins another dataset there."""
    out = tmp_path / "out"

    def replace():
        shutil.rmtree(out)
        with pytest.raises(ShardsFailedError):
            generate(small_job(out, seed=1), faults={2: ("raise",) * 3})

    with pytest.raises(OutputError, match="was removed, and another run has begun there"):
        generate(small_job(out), checkpoint=replace)
    assert read_blueprint(LocalStore(out)).job.seed == 1
    generate(small_job(out, seed=1))
    assert list(verify(LocalStore(out))) == []


def test_shards_that_go_away_under_a_run_are_named(tmp_path):
    def lose():
        for path in tmp_path.glob("shards/small-00000[01].tar"):
            path.unlink()

    with pytest.raises(IntegrityError, match=r"small-000000\.tar and 1 more went away while the dataset was made"):
        generate(small_job(tmp_path), checkpoint=lose)
    generate(small_job(tmp_path))
    assert list(verify(LocalStore(tmp_path))) == []
