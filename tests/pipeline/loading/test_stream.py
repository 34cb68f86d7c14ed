"""What a stream hands out, against a plain walk through the shards."""

import numpy as np
import pytest
import torch

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import Batch, Stream, open_stream
from tests.pipeline.loading.conftest import assert_holds

NAMES = ("clean", "prime", "low")


def drained(stream) -> list[Batch]:
    return list(stream)


def indices_of(batches) -> list[int]:
    return torch.cat([batch.indices for batch in batches]).tolist() if batches else []


@pytest.mark.parametrize("encoding", ["npy", "png"])
@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_every_pixel_and_column_is_the_stored_one(encoding, suffix, request):
    made = request.getfixturevalue(encoding)
    with open_stream(made.path / suffix, batch_size=48, drop_last=False) as stream:
        batches = drained(stream)
        assert isinstance(stream, Stream)
        assert stream.views == NAMES
        assert len(batches) == len(stream) == 8
        for batch in batches:
            assert_holds(batch, made, NAMES)
        assert sorted(indices_of(batches)) == sorted(made.samples)
        assert torch.equal(torch.cat([batch.positions for batch in batches]), torch.arange(355))
        assert stream.keys(batches[3].indices) == [made.samples[i].key for i in batches[3].indices.tolist()]


def test_a_batch_is_dense_channels_last_memory_and_readable_by_key(npy):
    with open_stream(npy.path, batch_size=5) as stream:
        batch = next(iter(stream))
    for name, images in batch["images"].items():
        assert images is batch.images[name]
        assert (images.shape, images.dtype) == ((5, 3, 16, 16), torch.uint8)
        assert images.is_contiguous(memory_format=torch.channels_last)
    for column in ("labels", "groups", "indices", "positions"):
        assert batch[column].dtype == torch.int64
    with pytest.raises(KeyError):
        batch["pixels"]
    assert len(batch) == 5


def test_the_columns_of_the_stream_are_those_of_all_samples(npy):
    with open_stream(npy.path, batch_size=5, views=["low"]) as stream:
        stored = [npy.samples[index] for index in stream.indices.tolist()]
        np.testing.assert_array_equal(stream.labels, [sample.label for sample in stored])
        np.testing.assert_array_equal(stream.groups, [sample.group for sample in stored])
        assert stream.indices.tolist() == sorted(npy.samples)
        assert stream.num_samples == 355
        assert stream.manifest.identity == npy.manifest.identity


@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_views_come_in_the_order_asked_for(npy, suffix):
    with open_stream(npy.path / suffix, batch_size=100, views=["low", "clean"]) as stream:
        batch = next(iter(stream))
    assert list(batch.images) == ["low", "clean"]
    assert_holds(batch, npy, ["low", "clean"])


def test_only_the_members_of_the_views_asked_for_are_decoded(png, monkeypatch):
    seen = []
    from passband.pipeline.formats.webdataset import reader

    fill = reader.fill_png
    monkeypatch.setattr(reader, "fill_png", lambda members, out: seen.append(len(members)) or fill(members, out))
    with open_stream(png.path, batch_size=50, views=["prime"], drop_last=False) as stream:
        drained(stream)
    assert sum(seen) == 355


@pytest.mark.parametrize("views", [["view2"], [], ["clean", "clean"]])
def test_views_that_cannot_be_served_are_answered_with_those_that_exist(npy, views):
    with pytest.raises(PassbandError, match="its views are clean, prime, low"):
        open_stream(npy.path, batch_size=5, views=views)


def test_without_shuffling_the_order_is_the_stored_one(npy):
    with open_stream(npy.path, batch_size=50, shuffle=False, drop_last=False) as stream:
        for _ in range(2):
            assert indices_of(drained(stream)) == sorted(npy.samples)


def test_the_next_iteration_is_the_next_epoch(npy):
    with open_stream(npy.path, batch_size=50) as stream:
        first, second = indices_of(drained(stream)), indices_of(drained(stream))
        assert (stream.epoch, stream.samples) == (2, 0)
        assert first != second
        stream.set_epoch(1)
        assert indices_of(drained(stream)) == second
    with open_stream(npy.path, batch_size=50, seed=1) as stream:
        assert indices_of(drained(stream)) != first


@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_a_stream_shows_the_whole_set_without_moving(npy, suffix):
    options = {"batch_size": 50, "world_size": 2, "balance": "class", "views": ["prime", "clean"]}
    with (
        open_stream(npy.path / suffix, **options, rank=0) as stream,
        open_stream(npy.path / suffix, **options, rank=1) as other,
    ):
        next(iter(stream))
        position = stream.state_dict()
        shown = [drained(part.in_stored_order()) for part in (stream, other)]
        assert len(shown[0]) == len(shown[1])
        for batch in (*shown[0], *shown[1]):
            assert list(batch.images) == ["prime"]
            assert_holds(batch, npy, ["prime"])
        assert sorted(indices_of(shown[0]) + indices_of(shown[1])) == sorted(npy.samples)
        assert stream.state_dict() == position
