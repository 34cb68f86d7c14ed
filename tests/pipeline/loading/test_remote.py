"""Datasets in object stores: whole files are fetched, checked, kept and dropped."""

import os
import threading
from pathlib import Path

import boto3
import fsspec
import pytest

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.loading.checked import Checked
from passband.pipeline.loading.descriptors import Stopped
from passband.pipeline.loading.files import Files
from passband.pipeline.store import ObjectStore
from tests.pipeline.loading.conftest import assert_holds


def copied(source: Path, uri: str) -> str:
    files, prefix = fsspec.core.url_to_fs(uri)
    for path in source.rglob("*"):
        if path.is_file():
            files.pipe_file(f"{prefix}/{path.relative_to(source).as_posix()}", path.read_bytes())
    return uri


@pytest.fixture
def memory(npy):
    uri = copied(npy.path, "memory://loading/set")
    yield uri
    fsspec.filesystem("memory").rm("/loading", recursive=True)


def order(path, **options):
    with open_stream(path, batch_size=50, views=["low"], **options) as stream:
        return [batch.indices.tolist() for batch in stream]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.suffix != ".lock")


@pytest.mark.parametrize("suffix", ["", "/small.beton"])
def test_the_same_batches_as_locally(memory, npy, suffix):
    with open_stream(memory + suffix, batch_size=50, drop_last=False) as stream:
        for batch in stream:
            assert_holds(batch, npy, stream.views)
        assert stream.keys([7]) == [npy.samples[7].key]
    assert order(memory + suffix) == order(npy.path)


def test_a_temporary_cache_vanishes_on_close(memory, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in (memory, f"{memory}/small.beton"):
        with open_stream(name, batch_size=50) as stream:
            next(iter(stream))
            assert files_in(tmp_path)
        assert files_in(tmp_path) == []


def test_a_cache_is_kept_and_used_again(memory, npy, tmp_path):
    first = order(memory, cache=tmp_path / "kept")
    shards = [shard.tar for shard in npy.manifest.shards]
    assert files_in(tmp_path / "kept") == sorted(f"{shard.sha256}.tar" for shard in shards)
    for shard in shards:
        fsspec.filesystem("memory").rm(f"/loading/set/{shard.name}")
    assert order(memory, cache=tmp_path / "kept") == first


def test_a_damaged_copy_in_the_cache_is_fetched_again(memory, npy, tmp_path):
    order(memory, cache=tmp_path)
    name = f"{npy.manifest.shards[0].tar.sha256}.tar"
    content = bytearray((tmp_path / name).read_bytes())
    content[5000] ^= 1
    (tmp_path / name).write_bytes(content)
    with open_stream(memory, batch_size=50, drop_last=False, cache=tmp_path) as stream:
        for batch in stream:
            assert_holds(batch, npy, stream.views)


def test_a_damaged_object_is_named_and_not_kept(memory, npy, tmp_path):
    shard = npy.manifest.shards[5].tar
    files = fsspec.filesystem("memory")
    content = bytearray(files.cat_file(f"/loading/set/{shard.name}"))
    content[5000] ^= 1
    files.pipe_file(f"/loading/set/{shard.name}", bytes(content))
    with open_stream(memory, batch_size=300, cache=tmp_path) as stream:
        with pytest.raises(IntegrityError, match=f"{shard.name}: sha256 is .* the manifest says {shard.sha256}"):
            next(iter(stream))
    assert f"{shard.sha256}.tar" not in files_in(tmp_path)
    assert not [name for name in files_in(tmp_path) if name.startswith(".passband-")]


def test_a_window_bounds_the_space(memory, npy, tmp_path):
    """Two shards at a time: the window read from, and what the batches ahead need of the next."""
    seen, most = [], 0
    with open_stream(memory, batch_size=10, window=2, prefetch=1, cache=tmp_path, drop_last=False) as stream:
        for _ in range(2):
            for batch in stream:
                seen += batch.indices.tolist()
                assert_holds(batch, npy, ["clean"])
                most = max(most, len(files_in(tmp_path)))
            assert files_in(tmp_path) == []
    assert sorted(seen) == sorted([*npy.samples, *npy.samples])
    assert most <= 4
    assert order(memory, window=2) == order(npy.path, window=2)


def opened(store, cache) -> Files:
    return Files(store, cache, verify=True, checked=Checked(1))


def content(files, shard) -> bytes:
    return os.pread(files.prepare(shard, 0, threading.Event()).number, shard.bytes, 0)


class Flaky(ObjectStore):
    """Fails the first reads, as a network does."""

    def __init__(self, uri, failures):
        super().__init__(uri)
        self.left = failures

    def open(self, name):
        if self.left:
            self.left -= 1
            raise TimeoutError("no answer")
        return super().open(name)


def test_a_read_that_fails_is_tried_again(memory, npy, tmp_path, monkeypatch):
    monkeypatch.setattr("passband.pipeline.loading.fetching._BACKOFF_S", 0.01)
    shard = npy.manifest.shards[0].tar
    files = opened(Flaky(memory, 2), tmp_path)
    assert content(files, shard) == (npy.path / shard.name).read_bytes()
    files = opened(Flaky(memory, 3), tmp_path / "other")
    with pytest.raises(PassbandError, match="cannot be fetched to .*: no answer"):
        content(files, shard)


def test_one_of_several_that_share_a_cache_fetches(memory, npy, tmp_path):
    fetched = []

    class Counting(ObjectStore):
        def open(self, name):
            fetched.append(name)
            return super().open(name)

    shard = npy.manifest.shards[0].tar
    stores = [opened(Counting(memory), tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=content, args=(files, shard)) for files in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == [shard.name]
    assert len({content(files, shard) for files in stores}) == 1


def test_an_iteration_that_ends_while_it_fetches_leaves_nothing(memory, npy, tmp_path):
    stop = threading.Event()
    stop.set()
    files = opened(ObjectStore(memory), tmp_path)
    with pytest.raises(Stopped):
        files.prepare(npy.manifest.shards[0].tar, 0, stop)
    assert files_in(tmp_path) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_real_s3_server(npy, s3_server):
    boto3.client("s3").create_bucket(Bucket="loading")
    uri = copied(npy.path, "s3://loading/set")
    with open_stream(uri, batch_size=50, window=3, drop_last=False) as stream:
        seen = []
        for batch in stream:
            assert_holds(batch, npy, stream.views)
            seen += batch.indices.tolist()
    assert sorted(seen) == sorted(npy.samples)
    assert order(f"{uri}/small.beton") == order(npy.path)
