"""How often a run reads its source."""

import os
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from passband.jobs.dataset.environment import current_environment
from passband.jobs.dataset.kept import Kept
from passband.jobs.generation.cache import generate_cached
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.worker import ShardTask
from passband.pipeline.errors import PassbandError
from passband.pipeline.sources import classfolders
from tests.jobs.generation.made import small_job, stored_bytes
from tests.pipeline.sources.files import png


@pytest.fixture
def folder(tmp_path):
    for number in range(30):
        file = tmp_path / "images" / f"class{number % 3}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(number))
    return tmp_path / "images"


@pytest.fixture
def opened(monkeypatch):
    """How often each image file of a folder was read."""
    counts, read = Counter(), classfolders.image_content

    def counting(kind, path, name):
        counts[str(path)] += 1
        return read(kind, path, name)

    monkeypatch.setattr(classfolders, "image_content", counting)
    return counts


def folder_job(out, folder, **changes):
    return small_job(out, source={"kind": "imagefolder", "path": str(folder), "split": ""}, **changes)


@pytest.mark.parametrize("size", [16, "native"])
def test_a_fresh_run_reads_every_image_once(tmp_path, folder, opened, size):
    generate(folder_job(tmp_path / "out", folder, image={"size": size}))
    assert set(opened.values()) == {1}
    assert len(opened) == 30


def test_a_fresh_cached_run_reads_every_image_once_and_a_found_one_too(tmp_path, folder, opened):
    job = folder_job("out", folder)
    made, place = generate_cached(job, tmp_path / "cache", SilentDisplay())
    assert set(opened.values()) == {1}
    assert len(opened) == 30
    assert generate_cached(job, tmp_path / "cache", SilentDisplay()) == (made, place)  # hashed, to be recognised
    assert set(opened.values()) == {2}
    generate(folder_job(tmp_path / "out", folder))
    assert stored_bytes(tmp_path / "out") == stored_bytes(type(tmp_path)(place))


@pytest.mark.parametrize("trust", [False, True])
def test_a_finished_dataset_of_a_cache_is_used_as_it_is_unless_a_byte_differs(tmp_path, folder, trust, monkeypatch):
    job = folder_job("out", folder, output={"formats": ["webdataset", "ffcv"]})
    made, place = generate_cached(job, tmp_path / "cache", SilentDisplay())
    whole, card = stored_bytes(Path(place)), os.stat(f"{place}/README.md").st_mtime_ns
    upgraded = current_environment(job) | {"numpy": "99.0"}
    for module in ("generation.cache", "dataset.environment"):
        monkeypatch.setattr(f"passband.jobs.{module}.current_environment", lambda job: upgraded)
    assert generate_cached(job, tmp_path / "cache", SilentDisplay(), trust=trust)[0] == made
    assert os.stat(f"{place}/README.md").st_mtime_ns == card
    monkeypatch.undo()
    for name in (made.shards[0].tar.name, made.shards[0].record.name, made.beton.name):
        file = Path(place, name)
        before = file.read_bytes()
        damaged = before[:-9] if trust else before[:-9] + bytes([before[-9] ^ 1]) + before[-8:]
        file.write_bytes(damaged)
        generate_cached(job, tmp_path / "cache", SilentDisplay(), trust=trust)
        assert file.read_bytes() != damaged
        assert stored_bytes(Path(place)) == whole


def test_what_does_not_fit_is_read_again(tmp_path, folder, opened):
    one = (folder / "class0" / "0.png").stat().st_size
    generate(folder_job(tmp_path / "out", folder, compute={"batch_bytes": one + 400}))  # four such batches are kept
    counts = Counter(opened.values())
    assert counts[1] + counts[2] == 30
    assert counts[2] > 0


def test_a_retry_and_a_resumed_run_read_what_they_need(tmp_path, folder, opened):
    job = folder_job(tmp_path / "out", folder, output={"samples_per_shard": 10})
    generate(job, faults={1: ("raise",)})
    assert set(opened.values()) == {1}  # the fault came first
    (tmp_path / "out" / "shards" / "small-000002.tar").unlink()
    opened.clear()
    generate(job)
    assert (len(opened), set(opened.values())) == (10, {1})


def test_kept_images_are_held_against_their_hashes(tmp_path, folder, monkeypatch):
    add = Kept.add
    monkeypatch.setattr(Kept, "add", lambda self, source, key, content: add(self, source, key, content[:-1] + b"?"))
    with pytest.raises(PassbandError, match="of the source changed after the plan was made"):
        generate(folder_job(tmp_path / "out", folder))


def test_kept_images_go_out_once_and_never_to_another_process():
    kept = Kept(1500)
    for key in ("a", "b", "c"):
        kept.add(0, key, b"x" * 200)
    assert kept.look(0, "a") == kept.take(0, "a") == b"x" * 200
    assert kept.take(0, "a") is None
    assert kept.take(0, "c") is None  # it did not fit
    task = replace(ShardTask("out", "identity", 3), kept=kept)
    there = pickle.loads(pickle.dumps(task))  # as Ray does
    assert there == task
    assert there.kept.take(0, "b") is None
    assert task.kept.take(0, "b") is not None
