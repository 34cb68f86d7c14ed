import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from passband.jobs.common.missing_datasets import DatasetError, make_missing
from passband.jobs.training.spec import DatasetReference
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore


def spelled_out(**changes):
    """355 real digits at 8x8 in one view, without a place of its own."""
    given = {
        "kind": "generate",
        "name": "tiny",
        "source": {"kind": "digits", "split": "test"},
        "image": {"size": 8},
        "views": ["clean"],
        "compute": {"executor": "inline"},
    }
    return given | changes


def by_job(job):
    return DatasetReference(job=job)


def test_paths_stay_as_they_are_and_no_child_is_started(tmp_path):
    events = []
    references = [DatasetReference(path="some/where"), DatasetReference(path="s3://bucket/prefix")]
    assert make_missing(references, tmp_path / "cache", progress=events.append) == ["some/where", "s3://bucket/prefix"]
    assert (events, list(tmp_path.iterdir())) == ([], [])


def test_a_cache_in_an_object_store_is_refused():
    with pytest.raises(DatasetError, match="datasets: 's3://bucket/cache' is not local"):
        make_missing([by_job({"kind": "generate"})], "s3://bucket/cache")


@pytest.mark.slow
def test_a_job_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spelled_out(output={"uri": "elsewhere"})))
    (place,) = make_missing([by_job("~/tiny.yaml")], "~/made")
    assert place.startswith(str(tmp_path / "made" / "tiny-"))


def test_jobs_are_made_once_in_one_child_and_found_again(tmp_path):
    file = tmp_path / "low.yaml"
    file.write_text(yaml.safe_dump(spelled_out(name="low", views=["clean", "dct_flip"], output={"uri": "elsewhere"})))
    references = [by_job(spelled_out()), DatasetReference(path="x"), by_job(str(file)), by_job(spelled_out())]
    cache, events = tmp_path / "cache", []
    first, path, second, again = make_missing(references, cache, progress=events.append)
    assert (path, again) == ("x", first)
    assert [event["name"] for event in events if event["event"] == "job"] == ["tiny", "low"]
    for place, name in ((first, "tiny"), (second, "low")):
        identity = read_manifest(LocalStore(place)).identity
        assert place == str(cache / f"{name}-{identity[:16]}")
    shards = sum(len(read_manifest(LocalStore(place)).shards) for place in (first, second))
    assert sum(event["event"] == "progress" for event in events) == shards

    before, events = os.stat(f"{first}/manifest.json").st_mtime_ns, []
    assert make_missing(references, cache, progress=events.append) == [first, "x", second, first]
    assert [event["event"] for event in events] == ["job", "planning", "step", "finished"] * 2
    assert os.stat(f"{first}/manifest.json").st_mtime_ns == before


@pytest.mark.slow
def test_another_job_of_the_same_name_gets_another_folder(tmp_path):
    places = make_missing([by_job(spelled_out()), by_job(spelled_out(seed=1))], tmp_path)
    assert len(set(places)) == 2


def test_what_the_child_refuses_is_told_in_its_words(tmp_path):
    with pytest.raises(DatasetError) as refused:
        make_missing([by_job(spelled_out(views=["clean", {"radial": {"low": -3}}]))], tmp_path)
    assert "views[1].radial.low: got -3" in str(refused.value)
    assert "/tmp" not in str(refused.value)
    with pytest.raises(DatasetError, match="the dataset tiny could not be made: .*no folder, so no class"):
        make_missing([by_job(spelled_out(source={"kind": "imagefolder", "path": str(tmp_path)}))], tmp_path / "cache")
    with pytest.raises(DatasetError, match="cannot read the job file .*nothing.yaml"):
        make_missing([by_job(str(tmp_path / "nothing.yaml"))], tmp_path)


def test_of_two_at_once_the_second_waits(tmp_path):
    references, said = [by_job(spelled_out(output={"samples_per_shard": 40}))], ([], [])
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda n: make_missing(references, tmp_path, progress=said[n].append), range(2)))
    assert places[0] == places[1]
    made = [sum(event["event"] == "progress" for event in events) for events in said]
    assert sorted(made) == [0, 9]


def test_ctrl_c_ends_the_child_and_keeps_its_shards(tmp_path):
    job = spelled_out(image={"size": 64}, views=["clean", {"prime": {}, "copies": 8}], output={"samples_per_shard": 4})
    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys\n"
        "from types import SimpleNamespace\n"
        "from passband.jobs.common.missing_datasets import make_missing\n"
        f"reference = SimpleNamespace(path=None, job=json.loads({json.dumps(json.dumps(job))}))\n"
        f"make_missing([reference], {str(tmp_path / 'cache')!r}, progress=lambda e: print(e['event'], flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = threading.Timer(120, parent.kill)
    deadline.daemon = True
    deadline.start()
    while parent.stdout.readline().strip() != "progress":
        assert parent.poll() is None, parent.stderr.read()
    children = _children(parent.pid)
    assert len(children) == 1
    parent.send_signal(signal.SIGINT)
    _, complaint = parent.communicate(timeout=60)
    deadline.cancel()
    assert "KeyboardInterrupt" in complaint
    for _ in range(50):
        if not os.path.exists(f"/proc/{children[0]}"):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the child outlived its parent")
    assert list(tmp_path.glob("cache/*/records/*.json"))
    assert not list(tmp_path.glob("cache/*/manifest.json"))


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def test_nothing_heavy_is_imported(tmp_path):
    heavy = "{'ray', 'numba', 'passband.kernels', 'cupy', 'torch'}"
    script = f"import sys, passband.jobs.common.missing_datasets; print({heavy} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"
