"""Damage is an error that names the file and both hashes, before a wrong pixel is handed out."""

import hashlib

import numpy as np
import pytest

from passband.jobs.generation.run import generate
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.formats.blocks import hash_blocks
from passband.pipeline.loading import open_stream
from passband.pipeline.manifest import read_manifest, write_manifest
from passband.pipeline.records import PackedFile
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job
from tests.pipeline.loading.conftest import assert_holds


def flip(path, place, mask=1):
    """Change one byte and return the hash that the file has then."""
    content = bytearray(path.read_bytes())
    content[place] ^= mask
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_a_changed_pixel_is_found_at_the_batch_that_needs_it(damaged, npy):
    """Stored order: the batches of the shards before it come, then the error, again and again."""
    shard = npy.manifest.shards[3].tar
    found = flip(damaged / shard.name, 5000)
    message = f"{shard.name}: sha256 is {found}, the manifest says {shard.sha256}"
    with open_stream(damaged, batch_size=50, shuffle=False, prefetch=8) as stream:
        iterator = iter(stream)
        for _ in range(3):
            assert_holds(next(iterator), npy, stream.views)
        for _ in range(2):
            with pytest.raises(IntegrityError, match=message):
                next(iterator)
            assert stream.samples == 150
            iterator = iter(stream)


def test_a_failed_iterator_does_not_pretend_that_the_epoch_is_over(damaged, npy):
    flip(damaged / npy.manifest.shards[0].tar.name, 5000)
    with open_stream(damaged, batch_size=50) as stream:
        iterator = iter(stream)
        with pytest.raises(IntegrityError):
            next(iterator)
        with pytest.raises(PassbandError, match="failed"):
            next(iterator)
        assert (stream.epoch, stream.samples) == (0, 0)


def test_without_verifying_a_changed_pixel_goes_unnoticed(damaged, npy):
    flip(damaged / npy.manifest.shards[3].tar.name, 5000)
    with open_stream(damaged, batch_size=50, verify=False) as stream:
        assert len(list(stream)) == 7


@pytest.mark.parametrize("verify", [True, False])
def test_a_truncated_shard_is_found_by_its_size(damaged, npy, verify):
    shard = npy.manifest.shards[2].tar
    path = damaged / shard.name
    path.write_bytes(path.read_bytes()[:-700])
    with open_stream(damaged, batch_size=300, verify=verify) as stream:
        with pytest.raises(IntegrityError, match=f"{shard.name}: has {shard.bytes - 700} bytes, the manifest says"):
            next(iter(stream))


def test_a_missing_shard_is_named(damaged, npy):
    (damaged / npy.manifest.shards[7].tar.name).unlink()
    with open_stream(damaged, batch_size=300) as stream:
        with pytest.raises(IntegrityError, match=r"small-000007\.tar: is missing"):
            next(iter(stream))


def test_changed_provenance_is_found_on_opening(damaged, npy):
    expected = npy.manifest.shards[1].provenance
    found = flip(damaged / expected.name, 300)
    with pytest.raises(
        IntegrityError, match=f"{expected.name}: sha256 is {found}, the manifest says {expected.sha256}"
    ):
        open_stream(damaged, batch_size=50)
    (damaged / expected.name).unlink()
    with pytest.raises(IntegrityError, match=r"000001\.parquet: is missing"):
        open_stream(damaged, batch_size=50)


def test_provenance_of_another_shard_is_refused_without_hashes_too(damaged, npy):
    """The last shard has 5 samples."""
    last = (damaged / npy.manifest.shards[7].provenance.name).read_bytes()
    (damaged / npy.manifest.shards[1].provenance.name).write_bytes(last)
    with pytest.raises(IntegrityError, match=r"000001\.parquet: has .* the manifest says"):
        open_stream(damaged, batch_size=50, verify=False)


@pytest.mark.parametrize("path", ["manifest.json", "small.beton/x", "nowhere", "nowhere/small.beton"])
def test_a_path_that_is_no_dataset_says_so(npy, path):
    with pytest.raises(PassbandError, match="manifest.json"):
        open_stream(npy.path / path, batch_size=5)


def test_a_file_that_cannot_be_read_is_named(damaged, npy):
    name = npy.manifest.shards[4].tar.name
    (damaged / name).unlink()
    (damaged / name).mkdir()
    with open_stream(damaged, batch_size=300) as stream:
        with pytest.raises(PassbandError, match=f"{name}: cannot be read: "):
            next(iter(stream))


def test_an_unfinished_dataset_says_so(tmp_path):
    with pytest.raises(Exception, match="failed"):
        generate(small_job(tmp_path / "out"), faults={4: ("raise",) * 3})
    with pytest.raises(IntegrityError, match="the dataset is unfinished or this is not one"):
        open_stream(tmp_path / "out", batch_size=5)


def small_blocks(folder):
    """Enter hashes of 1 MiB blocks for the beton, as if it were a file of many blocks."""
    store = LocalStore(folder)
    manifest = read_manifest(store)
    beton = hash_blocks(folder / "small.beton", "small.beton", 1 << 20)
    write_manifest(store, manifest.model_copy(update={"beton": beton}))
    return beton


def test_a_changed_block_of_a_beton_is_found_when_it_is_touched(damaged, npy):
    beton = small_blocks(damaged)
    first_page = 2 << 20
    sample = 300
    place = first_page + sample * 3 * 16 * 16 * 3 + 5
    assert isinstance(beton, PackedFile)
    flip(damaged / "small.beton", place)
    with open_stream(damaged / "small.beton", batch_size=355, drop_last=False) as stream:
        expected = beton.blocks[2]
        with pytest.raises(IntegrityError, match=rf"\(block 2\): sha256 is \w+, the manifest says {expected}"):
            next(iter(stream))


def test_blocks_that_nothing_touches_are_not_read(damaged, npy):
    small_blocks(damaged)
    path = damaged / "small.beton"
    flip(path, (1 << 20) + 100)  # zeros between the metadata and the first page
    with open_stream(path, batch_size=355) as stream:
        assert_holds(next(iter(stream)), npy, stream.views)


@pytest.mark.parametrize("place", [0, 9, 8000], ids=["version", "samples", "a label"])
def test_a_changed_header_of_a_beton_is_found_on_opening(damaged, place):
    flip(damaged / "small.beton", place)
    with pytest.raises(IntegrityError, match=r"small\.beton: bytes 0 to \d+ \(block 0\): sha256 is"):
        open_stream(damaged / "small.beton", batch_size=50)


def test_a_truncated_or_missing_beton_is_named(damaged):
    path = damaged / "small.beton"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=r"small\.beton: has \d+ bytes, the manifest says"):
        open_stream(path, batch_size=50)
    path.unlink()
    with pytest.raises(IntegrityError, match=r"small\.beton: is missing"):
        open_stream(path, batch_size=50)


def test_a_beton_that_the_manifest_does_not_list_is_refused(damaged):
    (damaged / "small.beton").rename(damaged / "other.beton")
    with pytest.raises(PassbandError, match=r"the manifest lists small\.beton"):
        open_stream(damaged / "other.beton", batch_size=50)
    store = LocalStore(damaged)
    write_manifest(store, read_manifest(store).model_copy(update={"beton": None}))
    with pytest.raises(PassbandError, match=r"lists no FFCV file; add ffcv to output\.formats"):
        open_stream(damaged / "small.beton", batch_size=50)


def test_keys_of_a_beton_without_its_provenance_name_what_is_missing(damaged):
    (damaged / "records" / "000000.parquet").unlink()
    with open_stream(damaged / "small.beton", batch_size=50) as stream:
        next(iter(stream))
        with pytest.raises(IntegrityError, match=r"records/000000\.parquet: is missing"):
            stream.keys([0])


def test_a_member_that_cannot_be_decoded_is_named(png, tmp_path):
    import shutil

    path = shutil.copytree(png.path, tmp_path / "copy")
    place = next(
        i for i in range(0, 10**6, 512) if (path / "shards/small-000000.tar").read_bytes()[i : i + 4] == b"\x89PNG"
    )
    flip(path / "shards/small-000000.tar", place + 60, 0xFF)
    with open_stream(path, batch_size=50, verify=False, shuffle=False) as stream:
        with pytest.raises(IntegrityError, match=r"small-000000\.tar: 00000000\.clean\.png: PNG: "):
            next(iter(stream))


@pytest.mark.parametrize("name", ["small.beton", ""])
def test_indices_that_do_not_exist_have_no_keys(npy, name):
    with open_stream(npy.path / name, batch_size=50) as stream:
        assert stream.keys([]) == []
        assert stream.keys(np.array([354, 0])) == [npy.samples[354].key, npy.samples[0].key]
        with pytest.raises(PassbandError, match="no sample with index 355"):
            stream.keys([0, 355])
