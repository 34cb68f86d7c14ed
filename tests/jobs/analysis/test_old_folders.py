"""Folders of earlier versions, whose records say ``map`` and whose job.yaml knows no parts, are gone on with."""

import json

import pytest
import yaml

from passband.jobs.analysis.envelope import read_envelope
from passband.jobs.analysis.run import analyze
from passband.jobs.comparison.status import read_run
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import JOB
from passband.pipeline.seals import put_sealed, sealed_text, unsealed
from passband.pipeline.store import LocalStore
from tests.jobs.analysis.contract import Stopped, stop_after


def _without_digest(given):
    return {key: value for key, value in given.items() if key != "digest"}


def as_before(out):
    """Write job.yaml and records as earlier versions did."""
    store = LocalStore(out)
    given = _without_digest(yaml.safe_load((out / JOB).read_text()))
    store.put(JOB, sealed_text(yaml.safe_dump({key: value for key, value in given.items() if key != "parts"}).encode()))
    for path in (out / "blocks").glob("*.json"):
        record = unsealed(json.loads(path.read_text()))
        put_sealed(store, f"blocks/{path.name}", {"map": record.pop("part"), **record})


def test_a_folder_of_before_is_gone_on_with(make_job, tmp_path):
    with pytest.raises(Stopped):
        analyze(make_job(), checkpoint=stop_after(4))
    out = tmp_path / "out"
    as_before(out)
    assert read_envelope(LocalStore(out)).parts is None
    told = read_run(LocalStore(out))
    assert (told["maps"], told["blocks"], told["done"]) == (["original", "enhanced"], 6, 4)
    made = []
    analyze(make_job(), checkpoint=lambda: made.append(1))
    assert len(made) == 2
    analyze(make_job(output={"uri": str(tmp_path / "whole")}))
    assert (out / "maps.npz").read_bytes() == (tmp_path / "whole" / "maps.npz").read_bytes()


@pytest.mark.parametrize("maps", [None, "original", ["other"], []])
def test_one_that_does_not_say_its_maps_is_damaged(make_job, tmp_path, maps):
    with pytest.raises(Stopped):
        analyze(make_job(), checkpoint=stop_after(1))
    as_before(tmp_path / "out")
    path = tmp_path / "out" / JOB
    given = _without_digest(yaml.safe_load(path.read_text()))
    given["job"]["maps"] = maps
    path.write_bytes(sealed_text(yaml.safe_dump(given).encode()))
    with pytest.raises(PassbandError, match=r"job.yaml: is damaged.*maps of its job is"):
        read_run(LocalStore(tmp_path / "out"))
