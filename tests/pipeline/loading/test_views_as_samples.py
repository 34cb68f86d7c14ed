"""Views as samples of their own: each view of each sample once an epoch, in one shuffle over all."""

import json
from collections import Counter

import numpy as np
import pytest
import torch

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from tests.pipeline.loading.conftest import Made

NAMES = ["clean", "prime", "low"]
FLOAT = {"views": ["clean", {"radial": {"low": 3, "range": "float"}, "name": "high"}]}


def draws(batches) -> list[tuple[int, int]]:
    return [pair for batch in batches for pair in zip(batch.indices.tolist(), batch.views.tolist(), strict=True)]


def assert_holds(batch, made: Made, views=NAMES) -> None:
    """Every image is the view of the sample that the batch says it is."""
    assert list(batch.images) == ["image"]
    numbers = {entry.name: entry.number for entry in made.manifest.views}
    pairs = zip(batch.indices.tolist(), batch.views.tolist(), strict=True)
    for place, (index, view) in enumerate(pairs):
        sample = made.samples[index]
        assert (batch.labels[place], batch.groups[place]) == (sample.label, sample.group)
        found = batch.images["image"][place].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(found, sample.views[numbers[views[view]]])


@pytest.mark.parametrize("encoding", ["npy", "png"])
@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_an_epoch_holds_each_view_of_each_sample_once(encoding, suffix, request):
    made = request.getfixturevalue(encoding)
    with open_stream(made.path / suffix, batch_size=100, drop_last=False, views_as_samples=True) as stream:
        assert (stream.num_samples, stream.num_draws, len(stream)) == (355, 1065, 11)
        assert (stream.views, stream.image_names) == (tuple(NAMES), ("image",))
        one, two = list(stream), list(stream)
        for batch in one + two:
            assert_holds(batch, made)
        everything = {(index, view) for index in made.samples for view in range(3)}
        for epoch in (one, two):
            assert len(draws(epoch)) == 1065
            assert set(draws(epoch)) == everything
        assert draws(one) != draws(two)
        assert torch.cat([batch.positions for batch in one]).tolist() == list(range(1065))


def test_the_views_of_a_sample_are_mixed_over_the_whole_epoch(npy):
    """One shuffle over all: as often in the same batch as chance has it, not as `on: all` has it, always."""
    with open_stream(npy.path, batch_size=71, views_as_samples=True) as stream:
        together = sum(
            count * (count - 1) / 2 for batch in stream for count in Counter(batch.indices.tolist()).values()
        )
    pairs, chance = 355 * 3, 70 / 1064
    assert together == pytest.approx(pairs * chance, abs=4 * (pairs * chance) ** 0.5)


@pytest.mark.parametrize("world", [1, 2, 5])
def test_any_number_of_ranks_walks_through_the_same_order(npy, world):
    with open_stream(npy.path, batch_size=60, views_as_samples=True) as stream:
        whole = [draws([batch]) for batch in stream]
    parts = []
    for rank in range(world):
        options = {"rank": rank, "world_size": world, "views_as_samples": True}
        with open_stream(npy.path, batch_size=60 // world, **options) as stream:
            parts.append([draws([batch]) for batch in stream])
    assert [sum(together, []) for together in zip(*parts, strict=True)] == whole


@pytest.mark.parametrize("options", [{}, {"balance": "class"}, {"window": 2}, {"drop_last": False}])
def test_every_position_is_restored_exactly(npy, options):
    asked = {"batch_size": 150, "views": ["low", "clean"], "views_as_samples": True, **options}
    with open_stream(npy.path, **asked) as stream:
        reference = [draws([batch]) for batch in stream]
        following = draws(stream)
    with open_stream(npy.path, prefetch=7, **asked) as left, open_stream(npy.path, **asked) as right:
        for step, _ in enumerate(left):
            state = json.loads(json.dumps(left.state_dict()))
            right.load_state_dict(state)
            if reference[step + 1 :]:
                assert [draws([batch]) for batch in right] == reference[step + 1 :]
            assert draws(right) == following


def test_one_view_is_what_an_ordinary_stream_hands_out(npy):
    with (
        open_stream(npy.path, batch_size=50, views=["low"]) as plain,
        open_stream(npy.path, batch_size=50, views=["low"], views_as_samples=True) as stream,
    ):
        for one, other in zip(plain, stream, strict=True):
            assert torch.equal(one.indices, other.indices)
            assert torch.equal(one.images["low"], other.images["image"])


def test_a_window_mixes_the_views_of_its_shards_only(npy):
    with open_stream(npy.path, batch_size=1, views_as_samples=True, window=1) as stream:
        shards = dict(zip(stream.indices.tolist(), stream._source.opened.reader.shards.tolist(), strict=True))
        visited = [shards[index] for batch in stream for index in batch.indices.tolist()]
    changes = sum(one != other for one, other in zip(visited, visited[1:], strict=False))
    assert changes == len(set(visited)) - 1


def test_stored_order_has_the_views_of_a_sample_in_turn(npy):
    with open_stream(npy.path, batch_size=9, shuffle=False, views_as_samples=True) as stream:
        batch = next(iter(stream))
        assert draws([batch]) == [(index, view) for index in stream.indices[:3].tolist() for view in range(3)]
        first = next(iter(stream.in_stored_order()))
        assert (list(first.images), len(first)) == (["clean"], 9)
        assert first.indices.tolist() == stream.indices[:9].tolist()


def test_balance_is_over_the_draws(npy):
    with open_stream(npy.path, batch_size=50, balance="class", views_as_samples=True) as stream:
        for batch in stream:
            assert set(torch.bincount(batch.labels).tolist()) == {5}
            assert_holds(batch, npy)


def test_states_of_other_streams_are_refused(npy):
    with (
        open_stream(npy.path, batch_size=50) as plain,
        open_stream(npy.path, batch_size=50, views_as_samples=True) as stream,
    ):
        for source, target in ((plain, stream), (stream, plain)):
            with pytest.raises(PassbandError, match="num_samples"):
                target.load_state_dict(source.state_dict())


def test_a_batch_larger_than_all_draws_is_refused(npy):
    with pytest.raises(PassbandError, match="has 1065 views of samples, fewer than the global batch of 1066 x 1"):
        open_stream(npy.path, batch_size=1066, views_as_samples=True)


def test_options_that_exclude_each_other_are_refused(npy, make):
    with pytest.raises(PassbandError, match="choose one of them"):
        open_stream(npy.path, batch_size=5, views_as_samples=True, views_by_epoch=True)
    mixed = make(output={"encoding": "npy", "formats": ["webdataset"]}, **FLOAT)
    with pytest.raises(PassbandError, match="clean is uint8 and high is float16; choose views of one dtype"):
        open_stream(mixed.path, batch_size=5, views_as_samples=True)
    with open_stream(mixed.path, batch_size=5, views=["high"], views_as_samples=True) as stream:
        assert next(iter(stream)).images["image"].dtype == torch.float16
